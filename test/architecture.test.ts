import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect } from 'chai';
import { checkoutDirectory } from './checkout.js';

/** Each room may import from itself and from those behind it. */
const ROOMS = ['examples', 'instrumentation', 'adapters', 'src'];
const CLOCKS_AND_CHANCE =
  /\b(Date|performance|setTimeout|setInterval|setImmediate|queueMicrotask|process)\b|Math\.random/;

const root = checkoutDirectory();

function sources(room: string): string[] {
  return readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(root, room, name));
}

function importsOf(file: string): { specifier: string; typeOnly: boolean }[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+'([^']+)'/gm)].map((match) => ({
    specifier: match[2]!,
    typeOnly: match[1] !== undefined,
  }));
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
}

describe('the architecture', () => {
  for (const [index, room] of ROOMS.entries()) {
    it(`${room} imports only from itself and ${ROOMS.slice(index + 1).join(', ') || 'nothing'}`, () => {
      const wrong: string[] = [];
      for (const file of sources(room)) {
        for (const { specifier } of importsOf(file)) {
          if (!specifier.startsWith('.')) continue;
          const target = relative(root, resolve(dirname(file), specifier)).split('/')[0]!;
          const allowed = room === 'examples' ? [...ROOMS, 'test'] : ROOMS.slice(index);
          if (!allowed.includes(target)) wrong.push(`${relative(root, file)} imports ${specifier}`);
        }
      }
      expect(wrong).deep.equal([]);
    });
  }

  it('src imports no package and no node: module', () => {
    const foreign = sources('src').flatMap((file) =>
      importsOf(file)
        .filter(({ specifier }) => !specifier.startsWith('./') && !specifier.startsWith('../'))
        .map(({ specifier }) => `${relative(root, file)} imports ${specifier}`),
    );
    expect(foreign).deep.equal([]);
  });

  it('src reads clocks and chance in runtime.ts alone', () => {
    const wrong = sources('src')
      .filter((file) => !file.endsWith('/runtime.ts'))
      .filter((file) => CLOCKS_AND_CHANCE.test(withoutComments(readFileSync(file, 'utf8'))))
      .map((file) => relative(root, file));
    expect(wrong).deep.equal([]);
  });

  it('adapters and instrumentation take only types from the libraries they serve', () => {
    const wrong = ['adapters', 'instrumentation'].flatMap((room) =>
      sources(room).flatMap((file) =>
        importsOf(file)
          .filter(
            ({ specifier, typeOnly }) => !typeOnly && /^(pg|pg-pool|mysql2|knex|tarn)(\/|$)/.test(specifier),
          )
          .map(({ specifier }) => `${relative(root, file)} imports ${specifier}`),
      ),
    );
    expect(wrong).deep.equal([]);
  });
});
