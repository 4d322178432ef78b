/** `spush config check`: whether a start or reload would accept the configuration; all faults at once, exit 78. */
import { ENV_NAMES } from '../../platform/config/config-schema.js';
import { loadConfig } from '../../platform/config/load-config.js';
import { descriptorLimit, descriptorShortage } from '../../platform/limits/descriptors.js';
import { EXIT, isSpushError } from '../../shared/base/errors.js';
import { type CliAction, JSON_OPTION } from '../action.js';
import { loadOptionsOf, START_OPTIONS } from '../start-options.js';

export const configCheck: CliAction = {
  name: 'check',
  doc: 'check the configuration without starting anything',
  options: [...START_OPTIONS, JSON_OPTION],
  run: async (context, options) => {
    const { terminal } = context;
    const json = options.flag('json') === true;
    try {
      const { config, filesRead } = await loadConfig(loadOptionsOf(context, options));
      const shortage = descriptorShortage(config, descriptorLimit());
      const warnings = shortage === null ? [] : [`started from this shell, ${shortage}`];
      if (json) {
        terminal.printJson({ ok: true, env: config.env, filesRead, warnings });
        return EXIT.done;
      }
      const files = filesRead.length === 0 ? ['no file was found: all defaults'] : filesRead;
      const head = `the configuration is right for PUSHENV ${config.env} (${ENV_NAMES[config.env]})`;
      terminal.print(terminal.paint('green', head));
      for (const file of files) terminal.print(`  ${file}`);
      for (const warning of warnings) terminal.print(terminal.paint('red', `warning: ${warning}`));
      return EXIT.done;
    } catch (error) {
      // For a script the faults are the result.
      if (!json || !isSpushError(error, 'CONFIG_INVALID')) throw error;
      terminal.printJson({ ok: false, ...error.detail });
      return error.exitCode;
    }
  },
};
