/**
 * The systemd unit of an instance as text. deploy/spush.service is what this gives for the usual places; `spush service
 * print` gives it for the places of this installation. The comments are for the operator who reads the unit.
 */
import { join } from 'node:path';
import { logOf } from '../platform/config/config-paths.js';
import { isSameFolder } from './folders.js';

export interface ServicePlaces {
  /** Absolute paths: the node program, bin/spush.js, SPUSH_ROOT, SPUSH_HOME and the folder of the logs. */
  readonly node: string;
  readonly bin: string;
  readonly root: string;
  readonly home: string;
  readonly log: string;
  /** The file of PUSHENV and secrets. */
  readonly environment: string;
  readonly user: string;
  readonly group: string;
  readonly mode: string;
  /** The configured StopSeconds. */
  readonly stopSeconds: number;
}

/** Where deploy/spush.service and docs/INSTALL.md expect everything. `current` leads to the release that is in use. */
export const USUAL_PLACES: ServicePlaces = {
  node: '/usr/bin/node',
  bin: '/opt/spush/current/bin/spush.js',
  root: '/etc/spush',
  home: '/var/lib/spush',
  log: '/var/log/spush',
  environment: '/etc/spush/environment',
  user: 'spush',
  group: 'spush',
  mode: 'websocket',
  stopSeconds: 15,
};

/** What `spush server stop` waits on top of StopSeconds, and a little more. */
const STOP_SPARE_SECONDS = 15;
/** Below these systemd makes a folder, with its owner; any other must be there. */
const MADE = { StateDirectory: '/var/lib/', LogsDirectory: '/var/log/' } as const;

export function serviceUnit(places: ServicePlaces): string {
  const command = (action: string): string =>
    [places.node, places.bin, 'server', action, `-mode=${places.mode}`].map(commandWord).join(' ');
  return `# spush, the push server (mode ${places.mode}). Put it in /etc/systemd/system/, then:
#   systemctl daemon-reload && systemctl enable --now spush
# Under systemd use systemctl start, stop, restart and reload: a server that \`spush server restart\` started would not
# be systemd's any more. All other commands of spush work as ever, run as the user below with SPUSH_HOME as below.

[Unit]
Description=spush push server (${percent(places.mode)})
After=network-online.target
Wants=network-online.target
# Ten failed starts within ten minutes, and it stays down until somebody looks.
StartLimitIntervalSec=600
StartLimitBurst=10

[Service]
# Ready when every Worker listens. The notices are sent by the program systemd-notify, a child of the master: hence all.
Type=notify
NotifyAccess=all
# A sign of life comes every 30 s while the master's loop turns and at least one Worker is ready.
WatchdogSec=60
# In order also then: every process finishes what it can by itself, whatever the matter is with the master.
WatchdogSignal=SIGTERM
ExecStart=${command('start')}
ExecReload=${command('reload')}
# The dash: a server that has ended by itself cannot be stopped again, and that is no failure.
ExecStop=-${command('stop')}
# If the master was killed, its children are told to end; each says good-bye to its clients and finishes its commits.
KillMode=control-group
TimeoutStartSec=90
# StopSeconds of the configuration (${places.stopSeconds}), what \`server stop\` waits on top of it, and a little more.
TimeoutStopSec=${Math.ceil(places.stopSeconds) + STOP_SPARE_SECONDS}
Restart=on-failure
RestartSec=2
# 78: the configuration is faulty, or the data is of another environment; 2: a wrong option. Another start would not help.
RestartPreventExitStatus=2 78

User=${places.user}
Group=${places.group}
UMask=0027
WorkingDirectory=${percent(places.root)}
Environment=${assignment('SPUSH_ROOT', places.root)}
Environment=${assignment('SPUSH_HOME', places.home)}
${logAssignment(places)}# PUSHENV and secrets, one NAME=value a line, owned by root, mode 0640 or less: PUSHENV=2, SPUSH_API_KEYS='{"gzcp":"…"}'
EnvironmentFile=-${percent(places.environment)}
# One descriptor per connection: above MaxLinkNumber, for every Worker.
LimitNOFILE=1048576
LimitCORE=0

# What it may write: Temp/ (pid file and control socket) and Data/ in SPUSH_HOME, and the logs. Nothing else.
${writable(places)}
ProtectSystem=strict
ProtectHome=${touches(places, ['/home/', '/root/', '/run/user/']) ? 'read-only' : 'yes'}
PrivateTmp=${touches(places, ['/tmp/', '/var/tmp/']) ? 'no' : 'yes'}
PrivateDevices=yes
# It listens on a port above 1023 and needs no right of root.
CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
PrivateUsers=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
# Its own processes only. (ProcSubset=pid is not for spush: the boot id and /proc/net/tcp are read.)
ProtectProc=invisible
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
# Node compiles JavaScript while it runs, so memory must be allowed to become executable.
MemoryDenyWriteExecute=no
SystemCallArchitectures=native
# V8 protects what it compiles with memory keys: @pkey.
SystemCallFilter=@system-service @pkey
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}

/**
 * Beside the configuration, so that two installations on one machine do not share their secrets. A configuration in the folder
 * of the program has none beside it: the next release would not find it, and the folder may be a checkout.
 */
export function environmentFileOf(root: string, program: string): string {
  return isSameFolder(root, program) ? USUAL_PLACES.environment : join(root, 'environment');
}

/** A home below /var/lib has its logs below /var/log, under the same name. */
export function usualLogOf(home: string): string {
  const below = folderBelow('StateDirectory', home);
  return below === null ? logOf(home) : `${MADE.LogsDirectory}${below}`;
}

function logAssignment({ home, log }: ServicePlaces): string {
  return log === logOf(home) ? '' : `Environment=${assignment('SPUSH_LOG', log)}\n`;
}

function writable({ home, log }: ServicePlaces): string {
  const places = [made('StateDirectory', home)];
  if (log !== logOf(home)) places.push(made('LogsDirectory', log));
  return places.join('\n');
}

function made(kind: keyof typeof MADE, folder: string): string {
  const below = folderBelow(kind, folder);
  if (below === null) return `ReadWritePaths=${quoted(percent(folder))}`;
  return `${kind}=${percent(below)}\n${kind}Mode=0750`;
}

/** Null: systemd does not make it. */
function folderBelow(kind: keyof typeof MADE, folder: string): string | null {
  const below = folder.startsWith(MADE[kind]) ? folder.slice(MADE[kind].length) : '';
  return below === '' || /\s/.test(below) ? null : below;
}

function touches({ node, bin, root, home, log }: ServicePlaces, folders: readonly string[]): boolean {
  return [node, bin, root, home, log].some((path) => folders.some((folder) => `${path}/`.startsWith(folder)));
}

/** In a command line a dollar sign is a variable too. */
function commandWord(word: string): string {
  return quoted(percent(word).replaceAll('$', '$$$$'));
}

function assignment(name: string, value: string): string {
  return quoted(`${name}=${percent(value)}`);
}

/** A per cent sign begins a specifier of systemd. */
function percent(text: string): string {
  return text.replaceAll('%', '%%');
}

function quoted(text: string): string {
  return /[\s"'\\;]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : text;
}
