#!/bin/sh
# Puts kedge on this machine and starts it. A second run changes nothing; after git pull it builds
# and starts what is new.
#
#   sudo sh installer/install.sh                                             a server with a node
#   sudo KEDGE_URL=https://SERVER:6443 KEDGE_TOKEN_FILE=FILE sh installer/install.sh    a node that joins
#
# KEDGE_*                  every option of kedge, as a variable; kept in /etc/kedge/config.yaml, and
#                          the token in /etc/kedge/token. Behind sudo: what is before it gets lost.
# INSTALL_KEDGE_EXEC       what is run: "server" or "agent", with further options if need be
#                          (default: as before; at first an agent with KEDGE_URL, else a server)
# INSTALL_KEDGE_BIN        path or https address of the executable
#                          (default: built from this checkout, when its sources are newer)
# INSTALL_KEDGE_SHA256     its checksum (default for an address: what ADDRESS.sha256 says)
# INSTALL_KEDGE_SKIP_START "true" installs, but starts nothing
#
# Nothing happens before the last line, so that half a script does nothing at all.
set -eu

BIN=/usr/local/bin/kedge
FOLDER=/etc/kedge
CONFIG=$FOLDER/config.yaml
EXEC=$FOLDER/exec
TOKEN=$FOLDER/token
UNIT=/etc/systemd/system/kedge.service
LOG=/var/log/kedge.log
LOG_KIB_MAX=10240
# What must be there, and the package that brings it where nothing else has.
PROGRAMS="containerd:containerd ctr:containerd runc:runc nft:nftables ip:iproute2 ss:iproute2
  conntrack:conntrack"
PLUGINS="/opt/cni/bin/bridge /usr/lib/cni/bridge /usr/libexec/cni/bridge"
AUTHORITIES=/etc/ssl/certs/ca-certificates.crt
READY_SECONDS_MAX=120
NODE_MAJOR_MIN=18
NODE_PACKAGES="apt-get install nodejs npm git"

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
has_systemd() { [ -d /run/systemd/system ]; }

# ── What is wanted ────────────────────────────────────────────────────────────

decide() {
  before=$(cat "$EXEC" 2>/dev/null || true)
  if [ -n "${INSTALL_KEDGE_EXEC:-}" ]; then exec_line=$INSTALL_KEDGE_EXEC
  elif [ -n "$before" ]; then exec_line=$before
  elif [ -n "${KEDGE_URL:-}" ]; then exec_line=agent
  else exec_line=server; fi
  role=${exec_line%% *}
}

check() {
  case $role in
    server | agent) ;;
    *) fail "INSTALL_KEDGE_EXEC: \"$role\" is neither server nor agent: begin with one of them" ;;
  esac
  check_sudo
  case "$exec_line " in
    *" --token "* | *" --token="*)
      where=$EXEC
      [ -z "${INSTALL_KEDGE_EXEC:-}" ] || where=INSTALL_KEDGE_EXEC
      fail "$where: everybody here could read a --token: leave it out, and give KEDGE_TOKEN_FILE" ;;
  esac
  case $before in
    "" | "$role" | "$role "*) ;;
    *) fail "this machine runs kedge $before: take that away with installer/uninstall.sh first" ;;
  esac
  if [ "$role" = server ]; then check_server; else check_agent; fi
  [ -z "${KEDGE_TOKEN_FILE:-}" ] || [ -f "$KEDGE_TOKEN_FILE" ] ||
    fail "KEDGE_TOKEN_FILE: there is no file $KEDGE_TOKEN_FILE: put there what kedge token create" \
      "prints on the server"
  [ ! -f "$CONFIG" ] || check_config
}

check_server() {
  [ -n "${KEDGE_URL:-}" ] || return 0
  [ -z "$before" ] ||
    fail "KEDGE_URL: this machine is a server already: to have it join another one," \
      "take it away with sudo sh installer/uninstall.sh (its pods and data go too), then run this again"
  fail "KEDGE_URL is for machines that join, and INSTALL_KEDGE_EXEC says server: leave out one of them"
}

check_agent() {
  data=$(setting data-dir "${KEDGE_DATA_DIR:-/var/lib/kedge}")
  [ ! -d "$data/server" ] ||
    fail "$data holds the data of a server that ran here: take it away with" \
      "sudo sh installer/uninstall.sh, or give another KEDGE_DATA_DIR"
  [ ! -f "$CONFIG" ] || return 0
  [ -n "${KEDGE_URL:-}" ] ||
    fail "KEDGE_URL is missing: give the server's address, such as https://192.168.1.10:6443"
  [ -n "${KEDGE_TOKEN:-}${KEDGE_TOKEN_FILE:-}" ] ||
    fail "KEDGE_TOKEN_FILE is missing: name a file that holds what kedge token create prints on" \
      "the server"
}

# sudo clears the environment: KEDGE_URL=... sudo sh ... would make a second server.
check_sudo() {
  above=$PPID
  while [ "$above" -gt 1 ] 2>/dev/null; do
    case $(cat "/proc/$above/comm" 2>/dev/null) in sudo | doas) ;; *) return 0 ;; esac
    lost=$(tr '\0' '\n' <"/proc/$above/environ" 2>/dev/null |
      sed -n 's/^\(\(INSTALL_\)\{0,1\}KEDGE_[A-Z0-9_]*\)=..*/\1/p' |
      while read -r name; do printenv "$name" >/dev/null || say "$name"; done | head -n 1)
    [ -z "$lost" ] ||
      fail "$lost stood before sudo, which takes it away: put it behind, sudo $lost=... sh $0"
    above=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$above/status")
  done
}

# What is configured stays; whoever asks for something else must hear that.
check_config() {
  asked_for | while read -r variable key; do
    value=$(printenv "$variable")
    [ "$value" = "$(setting "$key")" ] ||
      fail "$variable: $CONFIG is there, and stays as it is: put $key: \"$value\" there," \
        "then run this again"
  done
  [ -n "${KEDGE_TOKEN:-}${KEDGE_TOKEN_FILE:-}" ] || return 0
  if [ -n "$(setting token)" ] || [ "$(setting token-file)" != "$TOKEN" ]; then
    variable=KEDGE_TOKEN
    [ -n "${KEDGE_TOKEN:-}" ] || variable=KEDGE_TOKEN_FILE
    fail "$variable: $CONFIG is there, and stays as it is: put token-file: \"$TOKEN\" there" \
      "in place of what it says of tokens, then run this again"
  fi
}

# Prints the variables that are set, with the names of their options. The token goes its own way.
asked_for() {
  env | sed -n 's/^\(KEDGE_[A-Z_]*\)=..*/\1/p' | sort | while read -r variable; do
    case $variable in
      KEDGE_CONFIG | KEDGE_TOKEN | KEDGE_TOKEN_FILE) ;;
      KEDGE_URL) say "$variable server" ;;
      KEDGE_KUBECONFIG_MODE) say "$variable write-kubeconfig-mode" ;;
      *) say "$variable $(printf '%s' "${variable#KEDGE_}" | tr 'A-Z_' 'a-z-')" ;;
    esac
  done
}

# Prints what an option is set to: on the command line, or last in the configuration.
setting() {
  value=$(printf '%s\n' "$exec_line" | sed -n "s/.*--$1[= ]\([^ ]*\).*/\1/p")
  [ -n "$value" ] ||
    value=$(cat "$CONFIG" "$CONFIG.d"/*.y*ml 2>/dev/null |
      sed -n "s/^$1: *\"\{0,1\}\([^\"# ]*\).*/\1/p" | tail -n 1)
  printf '%s' "${value:-${2:-}}"
}

has_node() {
  [ "$role" = agent ] && return 0
  case " $exec_line " in *" --disable-agent "*) return 1 ;; esac
  [ "$(setting disable-agent)" != true ]
}

# Without it pods run, and those that name a limit of memory are refused.
note_memory() {
  has_node || return 0
  if grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then return 0; fi
  [ ! -d /sys/fs/cgroup/memory ] || return 0
  file=/boot/cmdline.txt
  [ ! -f /boot/firmware/cmdline.txt ] || file=/boot/firmware/cmdline.txt
  say "memory: this kernel keeps no account of it, so pods with a limit of memory will be refused:" \
    "add cgroup_enable=memory cgroup_memory=1 to the line in $file, then reboot"
}

# ── Packages ────────────────────────────────────────────────────────────

# What is there is used, whoever brought it, such as the containerd of Docker.
install_packages() {
  missing=
  for need in $PROGRAMS; do has "${need%:*}" || add_package "${need#*:}"; done
  has_plugins || add_package containernetworking-plugins
  [ -f "$AUTHORITIES" ] || add_package ca-certificates
  case ${INSTALL_KEDGE_BIN:-} in https://*) has curl || add_package curl ;; esac
  if [ -z "$missing" ]; then say "packages: all there"; return; fi
  has apt-get || fail "needs$missing: install them, there is no apt-get here"
  log=/var/log/kedge-install.log
  # Without lists, or with old ones, the first attempt fails.
  apt_install "$log" || { apt-get update >>"$log" 2>&1 && apt_install "$log"; } || apt_failed
  rm -f "$log"
  changed=yes
  # The package starts a containerd for everybody. Nobody asked for it, and kedge has its own.
  case "$missing " in
    *" containerd "*) ! has_systemd || systemctl disable --now --quiet containerd || true ;;
  esac
  say "packages: installed$missing"
}

add_package() {
  case "$missing " in *" $1 "*) ;; *) missing="$missing $1" ;; esac
}

has_plugins() {
  # Whoever configures the network answers for its plugins too.
  [ -z "$(ls -A /etc/cni/net.d 2>/dev/null)" ] || return 0
  for plugin in $PLUGINS; do [ ! -x "$plugin" ] || return 0; done
  return 1
}

# Never takes away a package to make room for another.
apt_install() {
  # shellcheck disable=SC2086
  LC_ALL=C DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends --no-remove $missing \
    >>"$1" 2>&1
}

apt_failed() {
  if grep -q 'remove is disabled' "$log"; then
    fail "installing$missing would take away packages that are here: see $log, and bring the" \
      "programs your own way: $(lacking)"
  fi
  fail "could not install$missing: $log says why"
}

# Prints the programs that are missing.
lacking() {
  for need in $PROGRAMS; do has "${need%:*}" || printf '%s ' "${need%:*}"; done
}

# ── The executable ────────────────────────────────────────────────────────────

install_executable() {
  source=
  how=
  find_executable
  old=$("$BIN" version 2>/dev/null) || old=
  if [ -z "$source" ]; then say "executable: $BIN stays ($old$how)"; return; fi
  if cmp -s "$source" "$BIN"; then say "executable: $BIN is current ($old)"; return; fi
  install -m 0755 "$source" "$BIN.new"
  version=$("$BIN.new" version 2>&1) || {
    rm -f "$BIN.new"
    fail "$source does not run here: $version"
  }
  mv "$BIN.new" "$BIN"
  changed=yes
  if [ -n "$old" ]; then say "executable: replaced $old by $version$how"
  else say "executable: installed $BIN ($version)$how"; fi
}

# Sets source, unless what is installed is all there is, and how it was come by.
find_executable() {
  case ${INSTALL_KEDGE_BIN:-} in
    https://*) source=$drafts/kedge; download "$INSTALL_KEDGE_BIN" "$source" ;;
    *://*) fail "INSTALL_KEDGE_BIN: give a path, or an address that begins with https://" ;;
    "") build_if_newer; return ;;
    *)
      source=$INSTALL_KEDGE_BIN
      [ -f "$source" ] || fail "INSTALL_KEDGE_BIN: there is no file $source" ;;
  esac
  [ -z "${INSTALL_KEDGE_SHA256:-}" ] || verify "$INSTALL_KEDGE_SHA256"
}

# Nothing on the way may lead away from TLS; and what came must be what was meant.
download() {
  curl --proto '=https' --tlsv1.2 -fsSL -o "$2" "$1" ||
    fail "INSTALL_KEDGE_BIN: could not download $1"
  [ -z "${INSTALL_KEDGE_SHA256:-}" ] || return 0
  sum=$(curl --proto '=https' --tlsv1.2 -fsSL "$1.sha256" 2>/dev/null | cut -d ' ' -f 1) || sum=
  [ -n "$sum" ] || fail "INSTALL_KEDGE_BIN: there is no $1.sha256: give INSTALL_KEDGE_SHA256"
  verify "$sum"
}

verify() {
  found=$(sha256sum "$source" | cut -d ' ' -f 1)
  [ "$found" = "$1" ] ||
    fail "INSTALL_KEDGE_BIN: $INSTALL_KEDGE_BIN has another checksum than it should: $found, not $1"
}

build_if_newer() {
  if [ ! -f "$checkout/src/main.ts" ] || [ ! -f "$checkout/package.json" ]; then
    [ -f "$BIN" ] || fail "this is no checkout to build from: name an executable, INSTALL_KEDGE_BIN=FILE"
    return
  fi
  source=$checkout/dist/kedge
  if [ -f "$source" ] && [ -z "$(newer_than "$source")" ]; then return; fi
  if ! has npm && [ -f "$BIN" ]; then
    source=
    how="; to build another one: $NODE_PACKAGES"
    return
  fi
  build
  how=", built from $checkout"
}

# Prints one of the files that the executable is made of, if any has changed since.
newer_than() {
  find "$checkout/src" "$checkout/package.json" "$checkout/package-lock.json" -newer "$1" \
    -print -quit
}

# As the owner of the checkout, so that he can go on working in it.
build() {
  has npm || fail "building needs Node $NODE_MAJOR_MIN and npm: $NODE_PACKAGES," \
    "or name an executable, INSTALL_KEDGE_BIN=FILE"
  major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
  [ "${major:-0}" -ge $NODE_MAJOR_MIN ] ||
    fail "building needs Node $NODE_MAJOR_MIN or newer, this is $major: $NODE_PACKAGES"
  owner=$(stat -c %U "$checkout")
  log=$drafts/build.log
  as_owner() { if [ "$owner" = root ]; then "$@"; else runuser -u "$owner" -- "$@"; fi; }
  {
    cd "$checkout" &&
      { has_libraries || as_owner npm ci --no-audit --no-fund; } &&
      as_owner npm run --silent build
  } >"$log" 2>&1 || {
    grep -v '^npm warn' "$log" | tail -n 10 >&2
    fail "the build failed: mend it, and see npm ci && npm run build succeed in $checkout"
  }
}

# All of them, as they are asked for now.
has_libraries() { [ -x node_modules/.bin/bun ] && as_owner npm ls; }

# ── Configuration ────────────────────────────────────────────────────────────

write_config() {
  write_token
  if [ -f "$CONFIG" ]; then
    say "configuration: $CONFIG is there, left as it is"
  else
    draft_config >"$drafts/config.yaml"
    install -D -m 0600 "$drafts/config.yaml" "$CONFIG"
    changed=yes
    say "configuration: wrote $CONFIG"
  fi
  [ "$before" = "$exec_line" ] || { printf '%s\n' "$exec_line" >"$EXEC"; changed=yes; }
}

# Arguments are for everybody's eyes, and the file that was named may go away: it gets one of its own.
write_token() {
  [ -n "${KEDGE_TOKEN:-}${KEDGE_TOKEN_FILE:-}" ] || return 0
  if [ -n "${KEDGE_TOKEN:-}" ]; then say "$KEDGE_TOKEN"; else cat "$KEDGE_TOKEN_FILE"; fi >"$drafts/token"
  if cmp -s "$drafts/token" "$TOKEN"; then return; fi
  install -D -m 0600 "$drafts/token" "$TOKEN"
  changed=yes
}

# KEDGE_NODE_NAME=box1 becomes node-name: "box1".
draft_config() {
  say "# Every option of kedge $role is a key here: see kedge $role --help."
  asked_for | while read -r variable key; do
    say "$key: \"$(printenv "$variable" | sed 's/[\\"]/\\&/g')\""
  done
  [ -z "${KEDGE_TOKEN:-}${KEDGE_TOKEN_FILE:-}" ] || say "token-file: \"$TOKEN\""
}

# A first start that fails leaves nothing configured, so that the next attempt begins anew.
give_up() {
  if [ -z "$before" ]; then
    if has_systemd; then
      systemctl disable --now --quiet kedge || true
      rm -f "$UNIT"
      systemctl daemon-reload
    fi
    rm -f "$CONFIG" "$EXEC" "$TOKEN" "$pid_file"
    rmdir "$FOLDER" 2>/dev/null || true
  fi
  fail "$*"
}

# ── Start ────────────────────────────────────────────────────────────

start() {
  if [ "${INSTALL_KEDGE_SKIP_START:-}" = true ]; then say "start: left out, as asked"; return; fi
  run_dir=$(setting run-dir /run/kedge)
  ready=$run_dir/ready
  pid_file=$run_dir/kedge.pid
  port=$(setting https-listen-port 6443)
  kubeconfig=$(setting write-kubeconfig $FOLDER/kubeconfig.yaml)
  # A configuration that a person has changed since the last start: each start writes these.
  if has_node; then started=$ready; else started=$kubeconfig; fi
  set -- "$CONFIG" "$(setting private-registry "$FOLDER/registries.yaml")"
  [ ! -f "$started" ] || [ -z "$(find "$@" -newer "$started" 2>/dev/null)" ] || changed=yes
  if has_systemd; then start_unit; else start_detached; fi
  wait_ready
}

start_unit() {
  [ -f "$checkout/systemd/kedge.service" ] || fail "systemd/kedge.service is not beside this folder"
  sed "s|^ExecStart=.*|ExecStart=$BIN $exec_line|" "$checkout/systemd/kedge.service" >"$drafts/unit"
  if ! cmp -s "$drafts/unit" "$UNIT"; then
    install -m 0644 "$drafts/unit" "$UNIT"
    systemctl daemon-reload
    changed=yes
  fi
  systemctl is-enabled --quiet kedge 2>/dev/null || { systemctl enable --quiet kedge; changed=yes; }
  if [ "$changed" = no ] && systemctl is-active --quiet kedge; then
    say "service: kedge.service is running"
    return
  fi
  rm -f "$ready"
  systemctl restart kedge 2>/dev/null || give_up "$(last_words)"
  changed=yes
  say "service: started kedge.service"
}

# No systemd: a process of its own, with a pid file and a log file.
start_detached() {
  if is_running; then
    if [ "$changed" = no ]; then say "process: running (pid $pid)"; return; fi
    stop_detached
  fi
  rm -f "$ready"
  install -d -m 0711 "$run_dir"
  [ ! -f "$LOG" ] || [ "$(du -k "$LOG" | cut -f 1)" -lt $LOG_KIB_MAX ] || mv "$LOG" "$LOG.1"
  # shellcheck disable=SC2086
  setsid "$BIN" $exec_line </dev/null >>"$LOG" 2>&1 &
  pid=$!
  printf '%s\n' "$pid" >"$pid_file"
  changed=yes
  say "process: started (pid $pid, log $LOG; no systemd here: after a reboot, run this again)"
}

# Sets pid. A number that another program has got meanwhile does not count.
is_running() {
  pid=$(cat "$pid_file" 2>/dev/null) && [ -n "$pid" ] || return 1
  case $(readlink "/proc/$pid/exe") in "$BIN" | "$BIN (deleted)") return 0 ;; *) return 1 ;; esac
}

# Whatever became of the process that we started: a program of its own, or one that ended.
is_alive() {
  state=$(sed -n 's/.*) \(.\).*/\1/p' "/proc/$pid/stat" 2>/dev/null) || return 1
  [ "$state" != Z ]
}

stop_detached() {
  kill "$pid" 2>/dev/null || return 0
  waited=0
  while is_running; do
    [ $waited -lt 100 ] || { kill -9 "$pid"; return; }
    sleep 0.1
    waited=$((waited + 1))
  done
}

wait_ready() {
  waited=0
  while ! is_ready; do
    if has_systemd; then systemctl is-active --quiet kedge; else is_alive; fi ||
      give_up "$(last_words)"
    [ $waited -lt $((READY_SECONDS_MAX * 5)) ] ||
      fail "not Ready after $READY_SECONDS_MAX s, and still trying: its log says why"
    sleep 0.2
    waited=$((waited + 1))
  done
  if has_node; then say "node: $(cat "$ready") is Ready"; else say "server: is ready"; fi
}

# A node says it in a file; a server without one by listening, which it does last.
is_ready() {
  if has_node; then [ -f "$ready" ]; else [ -n "$(ss -Hltn "sport = :$port")" ]; fi
}

# What kedge said when it ended: the last line that is no log entry.
last_words() {
  if has_systemd; then journalctl -u kedge -o cat -n 100; else tail -n 100 "$LOG"; fi |
    sed -n 's/^kedge: \(.*\)/kedge did not start: \1/p' | tail -n 1 | as_typed
}

# Options by the names of the variables that were set, where kedge has them from the configuration
# that was made of them.
as_typed() {
  words=$(
    asked_for | while read -r variable key; do renamed "$key" "$variable"; done
    variable=KEDGE_TOKEN
    [ -n "${KEDGE_TOKEN:-}" ] || variable=KEDGE_TOKEN_FILE
    say "s|\\($CONFIG: \\)\\{0,1\\}\\(--\\)\\{0,1\\}token-file $TOKEN|$variable|g"
    renamed token-file "$variable"
    renamed token "$variable"
  )
  sed "$words"
}

# Prints how sed puts a variable where a message names an option.
renamed() {
  for place in "$CONFIG: $1" "--$1"; do say "s|$place\\([^a-z-]\\)|$2\\1|g"; done
}

finish() {
  [ "$changed" = yes ] || say "nothing to change"
  [ "${INSTALL_KEDGE_SKIP_START:-}" != true ] || return 0
  if [ "$role" = agent ]; then
    say "next, on the server: kubectl get nodes"
    return
  fi
  address=$(ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([^ ]*\).*/\1/p')
  url=https://$(setting node-ip "${address:-THIS_MACHINE}"):$port
  say "kubeconfig: $kubeconfig"
  has kubectl || say "kubectl: is not here: see https://kubernetes.io/docs/tasks/tools"
  say "next: export KUBECONFIG=$kubeconfig && kubectl get nodes"
  say "more machines: bring what kedge token create prints there, as a FILE; then there:"
  say "  sudo KEDGE_TOKEN_FILE=FILE KEDGE_URL=$url sh installer/install.sh"
}

main() {
  [ "$(id -u)" = 0 ] || fail "needs root: run sudo sh $0"
  umask 022
  here=$(cd "$(dirname "$0")" && pwd)
  checkout=$(dirname "$here")
  changed=no
  drafts=$(mktemp -d)
  trap 'rm -rf "$drafts"' EXIT
  decide
  check
  note_memory
  install_packages
  install_executable
  write_config
  start
  finish
}

main "$@"
