/**
 * The systemd unit of an instance as text. deploy/spush.service is what this gives for the usual places; `spush service
 * print` gives it for the places of this installation. The comments are for the operator who reads the unit.
 */

export interface ServicePlaces {
  /** Absolute paths: the node program, bin/spush.js, SPUSH_ROOT and SPUSH_HOME. */
  readonly node: string;
  readonly bin: string;
  readonly root: string;
  readonly home: string;
  readonly user: string;
  readonly group: string;
  readonly mode: string;
  /** The configured StopSeconds. */
  readonly stopSeconds: number;
}

/** Where deploy/spush.service expects everything. */
export const USUAL_PLACES: ServicePlaces = {
  node: '/usr/bin/node',
  bin: '/opt/spush/bin/spush.js',
  root: '/opt/spush',
  home: '/var/lib/spush',
  user: 'spush',
  group: 'spush',
  mode: 'websocket',
  stopSeconds: 15,
};

/** What `spush server stop` waits on top of StopSeconds, and a little more. */
const STOP_SPARE_SECONDS = 15;
const STATE = '/var/lib/';

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
# 78: the configuration is faulty, 2: a wrong option. Another start would not help.
RestartPreventExitStatus=2 78

User=${places.user}
Group=${places.group}
UMask=0027
WorkingDirectory=${percent(places.root)}
Environment=${assignment('SPUSH_ROOT', places.root)}
Environment=${assignment('SPUSH_HOME', places.home)}
# PUSHENV and secrets, one NAME=value a line, owned by root and mode 0600: PUSHENV=2, SPUSH_API_KEYS={"gzcp":"…"}
EnvironmentFile=-/etc/spush/environment
# One descriptor per connection: above MaxLinkNumber, for every Worker.
LimitNOFILE=1048576
LimitCORE=0

# What it may write: Temp/ (pid file and control socket), Log/ and Data/ in SPUSH_HOME. Nothing else.
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

/** A folder below /var/lib is made by systemd, with the right owner; any other must be there. */
function writable({ home }: ServicePlaces): string {
  const below = home.startsWith(STATE) ? home.slice(STATE.length) : '';
  if (below !== '' && !/\s/.test(below)) {
    return `StateDirectory=${percent(below)}\nStateDirectoryMode=0750`;
  }
  return `ReadWritePaths=${quoted(percent(home))}`;
}

function touches({ node, bin, root, home }: ServicePlaces, folders: readonly string[]): boolean {
  return [node, bin, root, home].some((path) => folders.some((folder) => `${path}/`.startsWith(folder)));
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
