#!/bin/sh
# Takes kedge off this machine: its pods, its network, its state. What is not kedge's stays, and so
# do the packages that kedge needs. A second run finds nothing.
#
#   sudo sh installer/uninstall.sh
#
# Nothing happens before the last line, so that half a script does nothing at all.
set -eu

BIN=/usr/local/bin/kedge
FOLDER=/etc/kedge
CONFIG=$FOLDER/config.yaml
UNIT=/etc/systemd/system/kedge.service
LOG=/var/log/kedge.log
LINKS=/var/log/containers
INTERFACES="kedge0 kedge-dns kedge-vxlan"
TABLES="kedge kedge-node"
ROUTE_PROTOCOL=107
STOP_SECONDS_MAX=10

say() { printf '%s\n' "$*"; }
fail() { printf 'uninstall.sh: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
did() { removed=yes; say "$*"; }

# Prints what an option was set to: on the command line, or last in the configuration.
setting() {
  value=$(printf '%s\n' "$exec_line" | sed -n "s/.*--$1[= ]\([^ ]*\).*/\1/p")
  [ -n "$value" ] ||
    value=$(cat "$CONFIG" "$CONFIG.d"/*.y*ml 2>/dev/null |
      sed -n "s/^$1: *\"\{0,1\}\([^\"# ]*\).*/\1/p" | tail -n 1)
  printf '%s' "${value:-${2:-}}"
}

# What a node is called that nobody gave a name.
host_node_name() { uname -n | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9.-]/-/g'; }

look_around() {
  exec_line=$(cat $FOLDER/exec 2>/dev/null || true)
  data=$(setting data-dir /var/lib/kedge)
  run=$(setting run-dir /run/kedge)
  logs=$(setting pod-log-dir /var/log/pods)
  own_socket=$run/containerd/containerd.sock
  socket=$(setting containerd-address "$own_socket")
  kubeconfig=$(setting write-kubeconfig $FOLDER/kubeconfig.yaml)
  node=$(cat "$run/ready" 2>/dev/null || setting node-name "$(host_node_name)")
  for folder in "$data" "$run"; do
    case $folder in
      / | /etc | /home | /root | /run | /usr | /var | /var/lib | /var/run | /tmp)
        fail "$folder is not a folder of kedge's alone: take away data-dir and run-dir by hand" ;;
    esac
  done
}

# ── Processes ────────────────────────────────────────────────────────────

# Prints the processes of the executable, also of one that was replaced since.
kedge_processes() {
  for exe in /proc/[0-9]*/exe; do
    case $(readlink "$exe" 2>/dev/null) in
      "$BIN" | "$BIN (deleted)") exe=${exe%/exe}; say "${exe#/proc/}" ;;
    esac
  done
}

stop_kedge() {
  if [ -d /run/systemd/system ] && [ -f "$UNIT" ]; then
    systemctl disable --now --quiet kedge || true
    rm -f "$UNIT"
    systemctl daemon-reload
    systemctl reset-failed --quiet kedge 2>/dev/null || true
    did "service: stopped and removed kedge.service"
  fi
  rm -f "$UNIT"
  pids=$(kedge_processes)
  [ -n "$pids" ] || return 0
  # shellcheck disable=SC2086
  kill $pids 2>/dev/null || true
  waited=0
  while pids=$(kedge_processes) && [ -n "$pids" ]; do
    # shellcheck disable=SC2086
    [ $waited -lt $((STOP_SECONDS_MAX * 10)) ] || kill -9 $pids 2>/dev/null || true
    sleep 0.1
    waited=$((waited + 1))
  done
  did "process: stopped kedge"
}

# Prints the UIDs of the pods of this node, each of which has a folder of its own.
pod_uids() {
  for folder in "$run/pods" "$data/agent/pods" "$data/agent/runtime/sandboxes"; do
    find "$folder" -mindepth 1 -maxdepth 1 2>/dev/null |
      sed -n 's/.*\([0-9a-f]\{8\}-[0-9a-f-]\{27\}\).*/\1/p'
  done | sort -u
}

# Prints the cgroups of a pod, in every hierarchy.
pod_cgroups() {
  for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
    for class in kubepods kubepods/burstable kubepods/besteffort; do
      [ ! -d "$root/$class/pod$1" ] || say "$root/$class/pod$1"
    done
  done
}

# Prints our containerd, its shims, and the clients that talk to it: all name its folder or socket.
helpers() {
  for cmdline in /proc/[0-9]*/cmdline; do
    words=$(tr '\0' ' ' <"$cmdline" 2>/dev/null) || continue
    case " $words" in
      *" -address $socket "*"-namespace kedge "* | *" -namespace kedge "*" -address $socket "* | \
        *" --address $socket "*" --namespace kedge "* | *" --config $run/containerd/"*)
        pid=${cmdline%/cmdline}
        say "${pid#/proc/}" ;;
    esac
  done
}

# Prints the processes that hold the input of a container open.
holders() {
  find /proc/[0-9]*/fd -lname "$run/io/*" 2>/dev/null | cut -d / -f 3 | sort -u || true
}

# Prints the given processes with all that they have started.
with_children() {
  for pid in "$@"; do
    say "$pid"
    # shellcheck disable=SC2046
    with_children $(cat "/proc/$pid/task/"*/children 2>/dev/null || true)
  done
}

stop_pods() {
  count=0
  rounds=0
  while :; do
    # shellcheck disable=SC2046
    pids=$(
      { with_children $(helpers) $(holders)
        for uid in $uids; do
          for cgroup in $(pod_cgroups "$uid"); do
            find "$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null || true
          done
        done
      } | sort -u
    )
    [ -n "$pids" ] || break
    [ $rounds -lt 100 ] || fail "these processes do not end: $(printf '%s' "$pids" | tr '\n' ' ')"
    # shellcheck disable=SC2086
    kill -9 $pids 2>/dev/null || true
    [ $rounds -gt 0 ] || count=$(printf '%s\n' "$pids" | wc -l)
    rounds=$((rounds + 1))
    sleep 0.1
  done
  [ "$count" = 0 ] || did "pods: ended $count processes"
}

# In a containerd that somebody else runs, a namespace of ours.
clear_foreign_containerd() {
  [ "$socket" != "$own_socket" ] && [ -S "$socket" ] && has ctr || return 0
  ours() { ctr --address "$socket" --namespace kedge "$@"; }
  ctr --address "$socket" namespaces list -q 2>/dev/null | grep -qx kedge || return 0
  for name in $(ours containers list -q); do
    ours tasks delete --force "$name" >/dev/null 2>&1 || true
    ours containers delete "$name" >/dev/null || true
  done
  ours images list -q | xargs -r ctr --address "$socket" --namespace kedge images remove >/dev/null
  # Snapshots go from the leaves up; each round takes those that nothing rests on any more.
  while left=$(ours snapshots list | sed '1d; s/ .*//') && [ -n "$left" ]; do
    gone=no
    for key in $left; do ! ours snapshots remove "$key" 2>/dev/null || gone=yes; done
    [ "$gone" = yes ] || break
  done
  for digest in $(ours content list -q); do ours content delete "$digest" >/dev/null || true; done
  ctr --address "$socket" namespaces remove kedge >/dev/null || true
  did "containerd: removed the namespace kedge from $socket"
}

# ── Mounts, cgroups, network ────────────────────────────────────────────────────────────

# Prints what is mounted in our folders, the innermost last.
mounts() {
  while read -r _ _ _ _ target _; do
    case $target in "$data" | "$data"/* | "$run" | "$run"/*) printf '%b\n' "$target" ;; esac
  done </proc/self/mountinfo
}

unmount() {
  count=$(mounts | wc -l)
  [ "$count" -gt 0 ] || return 0
  # A data folder on a disk of its own is the owner's mount; what lies in it is not.
  mounts | sed '1!G;h;$!d' | while read -r target; do
    case $target in "$data" | "$run") continue ;; esac
    umount "$target" 2>/dev/null || umount -l "$target"
  done
  # What is still mounted may be a folder of the owner's, and must not be emptied with ours.
  left=$(mounts | grep -vxF -e "$data" -e "$run" || true)
  [ -z "$left" ] || fail "cannot unmount $left: do that by hand, then run this again"
  did "mounts: removed $count"
}

remove_cgroups() {
  for uid in $uids; do
    for cgroup in $(pod_cgroups "$uid"); do
      find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
  done
  for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
    for class in kubepods/burstable kubepods/besteffort kubepods; do
      # Somebody else's pods may be in there: then it stays.
      rmdir "$root/$class" 2>/dev/null || true
    done
  done
}

# Puts settings of the machine back that kedge changed, where they still are as it left them.
restore_settings() {
  count=0
  while read -r path before since; do
    case $path in net/*) ;; *) continue ;; esac
    [ "$(cat "/proc/sys/$path" 2>/dev/null)" = "$since" ] || continue
    printf '%s\n' "$before" >"/proc/sys/$path"
    count=$((count + 1))
  done <"$run/network/host-settings"
  [ "$count" = 0 ] || did "settings: put $count back"
}

remove_network() {
  # Before the rules that guard them go.
  [ ! -f "$run/network/host-settings" ] || restore_settings
  gone=
  if has ip; then
    for port in $(ip -o link show master kedge0 2>/dev/null | sed 's/^[0-9]*: \([^@:]*\).*/\1/'); do
      ip link delete "$port" 2>/dev/null || true
    done
    [ -z "$(ip route show proto $ROUTE_PROTOCOL)" ] || gone="$gone routes"
    ip route flush proto $ROUTE_PROTOCOL 2>/dev/null || true
    for name in $INTERFACES; do
      ! ip link delete "$name" 2>/dev/null || gone="$gone $name"
    done
  fi
  if has nft; then
    for table in $TABLES; do
      ! nft delete table inet "$table" 2>/dev/null || gone="$gone inet:$table"
    done
    remove_forward_accepts
  fi
  [ -z "$gone" ] || did "network: removed$gone"
}

# Lines that let pods through the chains of others, as the node put them at their top.
remove_forward_accepts() {
  range=$(setting cluster-cidr "$(sed -n 's/.*"clusterCidr": "\(.*\)".*/\1/p' \
    "$data/agent/cluster.json" 2>/dev/null)")
  nft -a list ruleset 2>/dev/null | awk -v range="${range:-10.42.0.0/16}" '
    $1 == "table" { place = $2 " " $3 }
    $1 == "chain" { chain = $2; is_forward = 0 }
    $1 == "type" { is_forward = / hook forward / }
    is_forward && $1 == "ip" && $2 ~ /^[sd]addr$/ && $3 == range && $(NF - 3) == "accept" {
      print "delete rule " place " " chain " handle " $NF
    }' >"$drafts/rules"
  [ -s "$drafts/rules" ] || return 0
  nft -f "$drafts/rules"
  gone="$gone forward-rules"
}

# ── Files ────────────────────────────────────────────────────────────

remove_logs() {
  for uid in $uids; do rm -rf "$logs"/*_"$uid"; done
  for link in "$LINKS"/*; do
    # Ours are those that lead into folders that are gone now.
    if [ -L "$link" ] && [ ! -e "$link" ]; then
      case $(readlink "$link") in "$logs"/*) rm -f "$link" ;; esac
    fi
  done
  for folder in "$logs" "$LINKS"; do rmdir "$folder" 2>/dev/null || true; done
}

# Shims and runc keep a little under /run/containerd whoever starts them. A shim's socket is named
# after the hash of where its containerd listens and which container it holds.
remove_shim_files() {
  for uid in $uids; do rm -rf "/run/containerd/runc/kedge/holder-$uid"; done
  for bundle in "$run/containerd/io.containerd.runtime.v2.task/kedge"/*; do
    name=$(printf '%s' "$socket/kedge/${bundle##*/}" | sha256sum | cut -d ' ' -f 1)
    rm -f "/run/containerd/s/$name"
  done
  for folder in runc/kedge runc s ""; do rmdir "/run/containerd/$folder" 2>/dev/null || true; done
}

remove_files() {
  gone=
  for path in "$BIN" "$BIN.new" "$data" "$run" "$FOLDER" "$kubeconfig" "$LOG" "$LOG.1"; do
    [ -e "$path" ] || continue
    gone="$gone $path"
    # What is a mount of its own is emptied and stays.
    if [ -d "$path" ] && ! rmdir "$path" 2>/dev/null; then
      find "$path" -xdev -mindepth 1 -delete
      rmdir "$path" 2>/dev/null || true
    fi
    [ -d "$path" ] || rm -f "$path"
  done
  [ -z "$gone" ] || did "files: removed$gone"
}

# What is left to do elsewhere: a server goes on believing in its nodes.
finish() {
  if [ "$removed" = no ]; then say "nothing to remove"; return; fi
  say "packages: left as they are"
  case $exec_line in agent*) say "next, on the server: kubectl delete node $node" ;; esac
}

main() {
  [ "$(id -u)" = 0 ] || fail "needs root: run sudo sh $0"
  removed=no
  drafts=$(mktemp -d)
  trap 'rm -rf "$drafts"' EXIT
  look_around
  stop_kedge
  uids=$(pod_uids)
  clear_foreign_containerd
  stop_pods
  unmount
  remove_cgroups
  remove_network
  remove_logs
  remove_shim_files
  remove_files
  finish
}

main "$@"
