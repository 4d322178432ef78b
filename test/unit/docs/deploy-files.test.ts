/** Holds the files of deploy/ to the code: they speak of the folders and limits that spush has. */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { USUAL_PLACES } from '../../../src/cli/service-unit.js';
import { pathsOf } from '../../../src/platform/config/config-paths.js';
import { systemSchema } from '../../../src/platform/config/config-schema.js';
import { loadConfig } from '../../../src/platform/config/load-config.js';
import { instanceFileOf } from '../../../src/platform/instance/instance-file.js';
import { FOLDER_MODES } from '../../../src/platform/instance/private-modes.js';
import { PACKAGE_ROOT } from '../../../src/platform/program/program-files.js';
import { repositoryFile } from '../../support/kept-file.js';

const paths = pathsOf(USUAL_PLACES);
const defaults = systemSchema.parse({});

describe('deploy/', () => {
  test('logrotate moves the log and asks the master, over its control socket, to open it anew', () => {
    const text = repositoryFile('deploy/logrotate');
    const { home, root, node, mode } = USUAL_PLACES;
    expect(text).toContain(`\n${paths.logFile} {\n`);
    expect(text).toContain(`SPUSH_HOME=${home} SPUSH_ROOT=${root} ${node} `);
    expect(text).toContain(` log reopen -mode=${mode} `);
  });

  test('nothing sends a signal to a number that stands in a file', () => {
    for (const name of readdirSync(path.join(PACKAGE_ROOT, 'deploy'))) {
      const file = `deploy/${name}`;
      if (statSync(path.join(PACKAGE_ROOT, file)).isDirectory()) continue;
      expect(repositoryFile(file), file).not.toMatch(/\bkill\b(?! -)|\bkill -[A-Z0-9]+\b/);
    }
  });

  test('tmpfiles makes the folders of SPUSH_HOME, that of the control socket for its owner alone', () => {
    const rows = repositoryFile('deploy/spush.tmpfiles')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(/\s+/));
    const made = new Map(rows.filter(([type]) => type === 'd').map(([, folder, mode]) => [folder, mode]));
    expect([...made.keys()]).toEqual([paths.home, paths.temp, paths.log, paths.data]);
    for (const name of ['temp', 'log', 'data'] as const) {
      expect(made.get(paths[name])).toBe(`0${FOLDER_MODES[name].toString(8)}`);
    }
    const removed = rows.filter(([type]) => type === 'r!').map(([, file]) => file);
    const files = [paths.pidFile, paths.socket, instanceFileOf(paths)];
    expect(removed).toEqual(files.map((file) => file.replace(`/${USUAL_PLACES.mode}.`, '/*.')));
  });

  test('nginx leads to the default port and waits longer than spush does', () => {
    const text = repositoryFile('deploy/nginx.conf');
    expect(text).toContain(`server 127.0.0.1:${defaults.Port};`);
    for (const name of ['proxy_read_timeout', 'proxy_send_timeout']) {
      const seconds = Number(new RegExp(`${name} (\\d+)s;`).exec(text)?.[1]);
      expect(seconds).toBeGreaterThan(
        defaults.IdleSeconds + defaults.IdleGraceSeconds + defaults.IdleCheckSeconds,
      );
    }
  });

  test('the unit gives a stop the time that it takes', () => {
    const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(repositoryFile('deploy/spush.service'))?.[1]);
    expect(seconds).toBeGreaterThan(defaults.StopSeconds + 10);
    expect(USUAL_PLACES.stopSeconds).toBe(defaults.StopSeconds);
  });

  test('the compose file configures nodes that start, each with a name and a volume of its own', async () => {
    const text = repositoryFile('deploy/compose.yaml');
    const given = new Map(
      [...repositoryFile('deploy/compose/environment.example').matchAll(/^(\w+)=(.*)$/gm)].map(
        ([, name = '', value = '']) => [name, value.replace(/^'|'$/g, '')],
      ),
    );
    const filled = (name: string): string => {
      const value = given.get(name);
      expect(value, `${name} is missing in environment.example`).toBeDefined();
      if (name.includes('KEYS'))
        return (value ?? '')
          .replace('""', '"a secret of more than thirty-two characters"')
          .replace(':""', ':"x"');
      // What only the operator knows is shown with a name that nobody has, and a node does not start with it.
      return (value || 'a secret').replace('www.example.com', 'www.gzcp.cn');
    };
    const env = Object.fromEntries(
      [...text.matchAll(/^ {2,6}(SPUSH_\w+|PUSHENV): '?(.*?)'?$/gm)].map(([, name = '', value = '']) => {
        const from = /^\$\{(\w+):\?/.exec(value)?.[1];
        return [name, from === undefined ? value : filled(from)];
      }),
    );
    const { config } = await loadConfig({ cwd: PACKAGE_ROOT, env });
    expect(config.env).toBe(2);
    expect(config.system.TrustedProxies).toEqual([/subnet: (\S+)/.exec(text)?.[1]]);
    for (const node of ['web1', 'web2']) {
      expect(text).toContain(`SPUSH_NODE_NAME: ${node}\n    volumes: ['${node}:/var/lib/spush']`);
      expect(repositoryFile('deploy/compose/nginx.conf')).toContain(`server ${node}:${defaults.Port};`);
    }
    expect(Number(/stop_grace_period: (\d+)s/.exec(text)?.[1])).toBeGreaterThan(defaults.StopSeconds + 10);
    expect(repositoryFile('deploy/Dockerfile')).toContain(`EXPOSE ${defaults.Port}`);
  });

  test('no image is whichever one is the newest', () => {
    const images = [
      ...repositoryFile('deploy/compose.yaml').matchAll(/^ +image: (\S+)$/gm),
      ...repositoryFile('deploy/Dockerfile').matchAll(/^FROM (\S+)/gm),
    ].map(([, image = '']) => image);
    expect(images.length).toBeGreaterThan(5);
    for (const image of images) expect(image).toMatch(/^[\w./-]+:\d+\.\d+\.\d+(-[\w-]+)?$/);
  });

  test('nginx of the compose file says what that of one node says', () => {
    const directives = (name: string): string[] =>
      repositoryFile(name)
        .split('\n')
        .filter(
          (line) =>
            /^\s+[a-z_]+ .*;$/.test(line) && !/^\s+(server|server_name|access_log|error_log) /.test(line),
        );
    expect(directives('deploy/compose/nginx.conf')).toEqual(directives('deploy/nginx.conf'));
  });
});
