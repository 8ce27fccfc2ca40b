#!/bin/sh
# A machine inside this one, to install things on: its own processes, network, mounts, cgroups and
# host name; what it writes to /etc, /usr/local, /var and /run is its own and goes with it.
#
#   box.sh FOLDER NAME ADDRESS/PREFIX
#
# Runs until it is killed, and everything in it with it. Ready once FOLDER/ready exists.
set -eu
folder=$1 name=$2 address=$3
# Two boxes of one name may run at once.
group=$(basename "$folder")

# Outside: cgroups of its own, then everything else of its own.
if [ -z "${INSIDE:-}" ]; then
  for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -f "$root/cgroup.procs" ] || continue
    mkdir -p "$root/$group"
    # A set of processors and memory must be said before anybody may enter.
    for set in cpuset.cpus cpuset.mems; do
      if [ -f "$root/$set" ] && [ ! -f "$root/cgroup.controllers" ]; then
        cat "$root/$set" >"$root/$group/$set"
      fi
    done
    echo $$ >"$root/$group/cgroup.procs"
  done
  INSIDE=yes exec unshare --mount --net --pid --ipc --uts --cgroup --fork --kill-child sh "$0" "$@"
fi

mount --make-rprivate /
hostname "$name"
mount -t proc proc /proc

# The mounts of cgroups as they are here, but seen from our own.
cgroups=$(awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 " " $3 " " $4 }' /proc/mounts)
is_legacy=$(printf '%s\n' "$cgroups" | grep -c ' cgroup ' || true)
mount -t sysfs sysfs /sys
[ "$is_legacy" = 0 ] || mount -t tmpfs tmpfs /sys/fs/cgroup
printf '%s\n' "$cgroups" | while read -r target type options; do
  mkdir -p "$target"
  # What is left of the options are the controllers, or the name of a hierarchy without any.
  options=$(printf '%s' "$options" | sed 's/^rw,\(.*time,\)\{0,1\}//; s/^name=/none,name=/')
  case $type in
    cgroup2) mount -t cgroup2 cgroup2 "$target" ;;
    cgroup) mount -t cgroup -o "$options" cgroup "$target" ;;
  esac
done
# Version 2 lets no group hand on controllers while processes are in it.
[ "$is_legacy" != 0 ] || { mkdir /sys/fs/cgroup/init; echo 1 >/sys/fs/cgroup/init/cgroup.procs; }

for place in etc usr/local; do
  over=$folder/$place
  mkdir -p "$over/upper" "$over/work"
  mount -t overlay -o "lowerdir=/$place,upperdir=$over/upper,workdir=$over/work" overlay "/$place"
done
# A kedge of this machine's own is none of the box's.
rm -rf /etc/kedge /usr/local/bin/kedge
# Containers need a real file system below theirs, so /var/lib is no overlay; packages stay known.
mkdir -p "$folder/var/lib/dpkg" "$folder/var/log"
mount --bind /var/lib/dpkg "$folder/var/lib/dpkg"
mount --rbind "$folder/var/lib" /var/lib
mount --bind "$folder/var/log" /var/log
# What others have mounted there would go when they go, and look as if it were our doing.
awk '$5 ~ "^/run/" { print $5 }' /proc/self/mountinfo | sort -r | xargs -r umount -l
mount -t tmpfs -o mode=755 tmpfs /run

# A bridge as its only interface: whoever wants to reach the box plugs a cable into it.
ip link set lo up
ip link add eth0 type bridge
ip addr add "$address" dev eth0
ip link set eth0 up
ip route add default dev eth0

touch "$folder/ready"
# Bash reaps whatever ends without a parent, as the first process of a machine must.
exec bash -c 'trap : TERM; while :; do sleep infinity & wait; done'
