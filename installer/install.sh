#!/bin/sh
# Puts kedge on this machine and starts it. A second run changes nothing.
#
#   sudo sh installer/install.sh                                             a server with a node
#   sudo KEDGE_URL=https://SERVER:6443 KEDGE_TOKEN=... sh installer/install.sh    a node that joins
#
# KEDGE_*                  every option of kedge, as a variable; kept in /etc/kedge/config.yaml
# INSTALL_KEDGE_EXEC       what is run: "server" or "agent", with further options if need be
#                          (default: as before; at first an agent with KEDGE_URL, else a server)
# INSTALL_KEDGE_BIN        path or https address of the executable
#                          (default: beside this script, in dist/, or built from this checkout)
# INSTALL_KEDGE_SKIP_START "true" installs, but starts nothing
set -eu

BIN=/usr/local/bin/kedge
FOLDER=/etc/kedge
CONFIG=$FOLDER/config.yaml
EXEC=$FOLDER/exec
UNIT=/etc/systemd/system/kedge.service
LOG=/var/log/kedge.log
LOG_KIB_MAX=10240
PACKAGES="containerd runc nftables iproute2 conntrack containernetworking-plugins ca-certificates"
READY_SECONDS_MAX=120

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
has_systemd() { [ -d /run/systemd/system ]; }

[ "$(id -u)" = 0 ] || fail "needs root: run sudo sh $0"

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(dirname "$here")
changed=no
drafts=$(mktemp -d)
trap 'rm -rf "$drafts"' EXIT

# ── What is wanted ────────────────────────────────────────────────────────────

before=$(cat "$EXEC" 2>/dev/null || true)
if [ -n "${INSTALL_KEDGE_EXEC:-}" ]; then exec_line=$INSTALL_KEDGE_EXEC
elif [ -n "$before" ]; then exec_line=$before
elif [ -n "${KEDGE_URL:-}" ]; then exec_line=agent
else exec_line=server; fi
role=${exec_line%% *}

check() {
  case $role in
    server | agent) ;;
    *) fail "INSTALL_KEDGE_EXEC: \"$role\" is neither server nor agent: begin with one of them" ;;
  esac
  case $before in
    "" | "$role" | "$role "*) ;;
    *) fail "this machine runs kedge $before: take that away with installer/uninstall.sh first" ;;
  esac
  if [ "$role" = server ]; then
    [ -z "${KEDGE_URL:-}" ] ||
      fail "KEDGE_URL is for machines that join, and this one is a server: leave it out"
  elif [ ! -f "$CONFIG" ]; then
    [ -n "${KEDGE_URL:-}" ] ||
      fail "KEDGE_URL is missing: give the server's address, such as https://192.168.1.10:6443"
    [ -n "${KEDGE_TOKEN:-}${KEDGE_TOKEN_FILE:-}" ] ||
      fail "KEDGE_TOKEN is missing: print one with kedge token create on the server"
  fi
  [ ! -f "$CONFIG" ] || check_config
}

# What is configured stays; whoever asks for something else must hear that.
check_config() {
  asked_for | while read -r variable key; do
    [ "$(printenv "$variable")" = "$(setting "$key")" ] ||
      fail "$variable: $CONFIG says otherwise: change $key there, then run this again"
  done
}

# Prints the variables that are set, with the names of their options.
asked_for() {
  env | sed -n 's/^\(KEDGE_[A-Z_]*\)=..*/\1/p' | sort | while read -r variable; do
    case $variable in
      KEDGE_CONFIG) ;;
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

# ── Packages ────────────────────────────────────────────────────────────

install_packages() {
  missing=
  for package in $PACKAGES; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
      missing="$missing $package"
  done
  if [ -z "$missing" ]; then say "packages: all there"; return; fi
  has apt-get || fail "needs$missing: install them, there is no apt-get here"
  log=/var/log/kedge-install.log
  # Without lists, or with old ones, the first attempt fails.
  apt_install "$log" || { apt-get update >>"$log" 2>&1 && apt_install "$log"; } ||
    fail "could not install$missing: $log says why"
  rm -f "$log"
  changed=yes
  # The package starts a containerd for everybody. Nobody asked for it, and kedge has its own.
  case "$missing " in
    *" containerd "*) ! has_systemd || systemctl disable --now --quiet containerd || true ;;
  esac
  say "packages: installed$missing"
}

apt_install() {
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >>"$1" 2>&1
}

# ── The executable ────────────────────────────────────────────────────────────

install_executable() {
  source=
  how=installed
  find_executable
  if [ -z "$source" ] && [ -f "$BIN" ]; then say "executable: $BIN is there"; return; fi
  if [ -z "$source" ]; then build; how="built and installed"; fi
  if cmp -s "$source" "$BIN"; then say "executable: $BIN is current"; return; fi
  install -m 0755 "$source" "$BIN.new"
  version=$("$BIN.new" version 2>&1) || {
    rm -f "$BIN.new"
    fail "$source does not run here: $version"
  }
  mv "$BIN.new" "$BIN"
  changed=yes
  say "executable: $how $BIN ($version)"
}

find_executable() {
  case ${INSTALL_KEDGE_BIN:-} in
    https://*) source=$drafts/kedge; download "$INSTALL_KEDGE_BIN" "$source" ;;
    "")
      for source in "$here/kedge" "$checkout/dist/kedge" ""; do
        [ ! -f "$source" ] || break
      done ;;
    *)
      source=$INSTALL_KEDGE_BIN
      [ -f "$source" ] || fail "INSTALL_KEDGE_BIN: there is no file $source" ;;
  esac
}

download() {
  if has curl; then curl -fsSL -o "$2" "$1"; else wget -qO "$2" "$1"; fi ||
    fail "INSTALL_KEDGE_BIN: could not download $1"
}

# As the owner of the checkout, so that he can go on working in it.
build() {
  [ -f "$checkout/package.json" ] ||
    fail "no executable beside this script: name one with INSTALL_KEDGE_BIN"
  has npm ||
    fail "building needs Node 20 and npm in PATH: install them, or set INSTALL_KEDGE_BIN"
  owner=$(stat -c %U "$checkout")
  log=$drafts/build.log
  as_owner() { if [ "$owner" = root ]; then "$@"; else runuser -u "$owner" -- "$@"; fi; }
  {
    cd "$checkout" &&
      { [ -x node_modules/.bin/bun ] || as_owner npm ci --no-audit --no-fund; } &&
      as_owner npm run --silent build
  } >"$log" 2>&1 || {
    grep -v '^npm warn' "$log" | tail -n 10 >&2
    fail "the build failed: mend it, and see npm ci && npm run build succeed in $checkout"
  }
  source=$checkout/dist/kedge
}

# ── Configuration ────────────────────────────────────────────────────────────

write_config() {
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

# KEDGE_NODE_NAME=box1 becomes node-name: "box1".
draft_config() {
  say "# Every option of kedge $role is a key here: see kedge $role --help."
  asked_for | while read -r variable key; do
    say "$key: \"$(printenv "$variable" | sed 's/[\\"]/\\&/g')\""
  done
}

# A first start that fails leaves nothing configured, so that the next attempt begins anew.
give_up() {
  if [ -z "$before" ]; then
    if has_systemd; then
      systemctl disable --now --quiet kedge || true
      rm -f "$UNIT"
      systemctl daemon-reload
    fi
    rm -f "$CONFIG" "$EXEC" "$pid_file"
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
  [ ! -f "$started" ] || [ -z "$(find "$CONFIG" -newer "$started" 2>/dev/null)" ] || changed=yes
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
    sed -n 's/^kedge: \(.*\)/kedge did not start: \1/p' | tail -n 1
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
  say "more machines: print a TOKEN with kedge token create; then there:"
  say "  sudo KEDGE_URL=$url KEDGE_TOKEN=TOKEN sh installer/install.sh"
}

check
install_packages
install_executable
write_config
start
finish
