#!/bin/sh
# Puts kedge on this machine and starts it. A second run changes nothing.
#
#   sudo sh installer/install.sh                                     a server with a node
#   KEDGE_URL=https://SERVER:6443 KEDGE_TOKEN=... sh install.sh      a node that joins a server
#
# INSTALL_KEDGE_EXEC   "server" or "agent", with further flags (default: agent when KEDGE_URL is set)
# INSTALL_KEDGE_BIN    path or https address of the executable (default: beside this script, or built)
# INSTALL_KEDGE_SKIP_START=true   installs, but starts nothing
set -eu

BIN=/usr/local/bin/kedge
CONFIG=/etc/kedge/config.yaml
PIDFILE=/run/kedge/kedge.pid
LOGFILE=/var/log/kedge.log
READY=/run/kedge/ready
PACKAGES="containerd runc nftables iproute2 conntrack containernetworking-plugins ca-certificates"
READY_SECONDS_MAX=120

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

here=$(cd "$(dirname "$0")" 2>/dev/null && pwd || echo /nowhere)
checkout=$(cd "$here/.." 2>/dev/null && pwd || echo /nowhere)

if [ -n "${KEDGE_URL:-}" ]; then exec_line=${INSTALL_KEDGE_EXEC:-agent}
else exec_line=${INSTALL_KEDGE_EXEC:-server}; fi
role=${exec_line%% *}
flags=${exec_line#"$role"}

check() {
  [ "$(id -u)" = 0 ] || fail "must run as root: try sudo sh $0"
  case $role in server | agent) ;; *) fail "INSTALL_KEDGE_EXEC: \"$role\" is neither server nor agent" ;; esac
  if [ "$role" = agent ]; then
    [ -n "${KEDGE_URL:-}" ] || [ -f "$CONFIG" ] || fail "an agent needs KEDGE_URL, such as https://SERVER:6443"
    [ -n "${KEDGE_TOKEN:-}" ] || [ -f "$CONFIG" ] || fail "an agent needs KEDGE_TOKEN: print one with kedge token create on the server"
  fi
}

install_packages() {
  missing=
  for package in $PACKAGES; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
  done
  if [ -z "$missing" ]; then say "packages: all there"; return; fi
  command -v apt-get >/dev/null || fail "needs$missing: install them, there is no apt-get here"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  apt-get install -y -q --no-install-recommends $missing >/tmp/kedge-apt.log 2>&1 ||
    { apt-get update -q >>/tmp/kedge-apt.log 2>&1 && apt-get install -y -q --no-install-recommends $missing >>/tmp/kedge-apt.log 2>&1; } ||
    fail "could not install$missing: see /tmp/kedge-apt.log"
  rm -f /tmp/kedge-apt.log
  say "packages: installed$missing"
}

find_executable() {
  case ${INSTALL_KEDGE_BIN:-} in
    https://*)
      source=$(mktemp)
      curl -fsSL -o "$source" "$INSTALL_KEDGE_BIN" || fail "could not download $INSTALL_KEDGE_BIN"
      return ;;
    ?*) [ -f "$INSTALL_KEDGE_BIN" ] || fail "INSTALL_KEDGE_BIN: there is no $INSTALL_KEDGE_BIN"
      source=$INSTALL_KEDGE_BIN; return ;;
  esac
  for source in "$here/kedge" "$checkout/dist/kedge"; do [ -f "$source" ] && return; done
  [ -f "$checkout/package.json" ] || fail "no executable beside this script: set INSTALL_KEDGE_BIN to its path or address"
  command -v npm >/dev/null || fail "building needs Node 20 with npm: install them, or set INSTALL_KEDGE_BIN"
  say "executable: building"
  (cd "$checkout" && { [ -x node_modules/.bin/bun ] || npm ci --no-audit --no-fund >/dev/null 2>&1; } && npm run --silent build >/dev/null) ||
    fail "the build failed: run npm ci && npm run build in $checkout"
  source=$checkout/dist/kedge
}

changed=
install_executable() {
  if [ -f "$BIN" ]; then
    case ${INSTALL_KEDGE_BIN:-} in "") [ -f "$here/kedge" ] || [ -f "$checkout/dist/kedge" ] || { say "executable: $BIN is there"; return; } ;; esac
  fi
  find_executable
  if cmp -s "$source" "$BIN"; then say "executable: $BIN is current"; return; fi
  install -D -m 0755 "$source" "$BIN.new" && mv "$BIN.new" "$BIN"
  changed=yes
  say "executable: installed $BIN ($("$BIN" version))"
}

write_config() {
  if [ -f "$CONFIG" ]; then say "configuration: $CONFIG is there, left as it is"; return; fi
  mkdir -p /etc/kedge && chmod 0755 /etc/kedge
  umask 077
  {
    say "# Every flag of kedge $role is a key here: see kedge $role --help."
    [ "$role" = server ] || say "server: \"$KEDGE_URL\""
    [ -z "${KEDGE_TOKEN:-}" ] || say "token: \"$KEDGE_TOKEN\""
    [ -z "${KEDGE_NODE_NAME:-}" ] || say "node-name: \"$KEDGE_NODE_NAME\""
    [ -z "${KEDGE_DATA_DIR:-}" ] || say "data-dir: \"$KEDGE_DATA_DIR\""
  } >"$CONFIG"
  umask 022
  changed=yes
  say "configuration: wrote $CONFIG"
}

is_running() { [ -f "$PIDFILE" ] && [ "$(readlink "/proc/$(cat "$PIDFILE")/exe" 2>/dev/null | sed 's/ (deleted)$//')" = "$BIN" ]; }

start_with_systemd() {
  unit=/etc/systemd/system/kedge.service
  new=$(mktemp)
  cat "$here/../systemd/kedge.service" 2>/dev/null | sed "s|^ExecStart=.*|ExecStart=$BIN $role$flags|" >"$new"
  [ -s "$new" ] || fail "systemd/kedge.service is not beside this script"
  if ! cmp -s "$new" "$unit"; then install -m 0644 "$new" "$unit"; systemctl daemon-reload; changed=yes; fi
  rm -f "$new"
  systemctl is-enabled -q kedge 2>/dev/null || systemctl enable -q kedge
  if [ -z "$changed" ] && systemctl is-active -q kedge; then say "service: kedge.service is running"; return; fi
  rm -f "$READY"
  systemctl restart kedge || fail "the service did not start: see journalctl -u kedge"
  say "service: started kedge.service"
}

start_detached() {
  if [ -z "$changed" ] && is_running; then say "process: running (pid $(cat "$PIDFILE"))"; return; fi
  mkdir -p /run/kedge
  if is_running; then
    old=$(cat "$PIDFILE"); kill "$old"
    waited=0; while [ -d "/proc/$old" ] && [ $waited -lt 100 ]; do sleep 0.1; waited=$((waited + 1)); done
  fi
  rm -f "$READY"
  # shellcheck disable=SC2086
  setsid "$BIN" $role $flags </dev/null >>"$LOGFILE" 2>&1 &
  echo $! >"$PIDFILE"
  say "process: started (pid $(cat "$PIDFILE"), log $LOGFILE; there is no systemd here)"
}

start() {
  if [ "${INSTALL_KEDGE_SKIP_START:-}" = true ]; then say "start: left out, as asked"; exit 0; fi
  if [ -d /run/systemd/system ]; then start_with_systemd; else start_detached; fi
}

wait_ready() {
  waited=0
  while [ ! -f "$READY" ]; do
    [ -d /run/systemd/system ] || is_running || fail "kedge stopped: $(tail -n 1 "$LOGFILE")"
    [ $waited -lt $((READY_SECONDS_MAX * 5)) ] || fail "the node is not Ready after $READY_SECONDS_MAX s: see its log"
    sleep 0.2
    waited=$((waited + 1))
  done
  say "node: $(cat "$READY") is Ready"
}

finish() {
  [ -n "$changed" ] || say "nothing to change"
  [ "$role" = server ] || { say "see it from the server: kubectl get nodes"; return; }
  say "kubeconfig: /etc/kedge/kubeconfig.yaml"
  say "next: KUBECONFIG=/etc/kedge/kubeconfig.yaml kubectl get nodes"
  say "join another machine: kedge token create, then there KEDGE_URL=https://THIS:6443 KEDGE_TOKEN=... sh install.sh"
}

check
install_packages
install_executable
write_config
start
wait_ready
finish
