// Stryker's mocha runner for a mocha that is an ES module: the runner asks for files of its command line without their extension.
// To be deleted once the runner looks for .cjs itself (stryker-js pull request 6205).
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, next) {
    const isOfMochasCli = /\/mocha\/lib\/cli\/[\w-]+$/.test(specifier);
    return next(isOfMochasCli ? `${specifier}.cjs` : specifier, context);
  },
});

export const { strykerPlugins, strykerValidationSchema } = await import('@stryker-mutator/mocha-runner');
