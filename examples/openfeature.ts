// Flags from an OpenFeature client, in ten lines: register this file in place of the package's own register entry.
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { EnhancedPoolInstrumentation, type FlagSetting } from '../instrumentation/index.js';

/** The part of an OpenFeature server client that is needed; evaluation is synchronous from what it has fetched. */
interface FlagClient {
  getStringValue(flag: string, fallback: string): Promise<string>;
}

/** OpenFeature answers later, the pool asks now: the latest answer counts. */
export function registerWith(client: FlagClient): void {
  const settings = new Map<string, FlagSetting>();
  const flagProvider = (flag: string) => {
    client.getStringValue(`enhanced-pool.${flag}`, '').then(
      (setting) => settings.set(flag, setting as FlagSetting),
      () => {},
    );
    // A flag that the service does not know keeps its default.
    return settings.get(flag) || undefined;
  };
  registerInstrumentations({ instrumentations: [new EnhancedPoolInstrumentation({ flagProvider })] });
}
