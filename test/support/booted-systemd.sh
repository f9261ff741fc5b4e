#!/bin/sh
# Boots a systemd of its own in new namespaces, on a throw-away layer above this machine's files; nothing that it writes
# reaches them. It loads only the units in UNITS, so none of this machine's services starts. Ends with its parent.
#   booted-systemd.sh CGROUP FOLDER PACKAGE UNITS    (CGROUP: an empty cgroup2 folder made for it)
set -eu

if [ "${1:-}" != inside ]; then
  echo $$ >"$1/cgroup.procs"
  exec unshare --fork --pid --mount --cgroup --ipc --uts --kill-child -- /bin/sh "$0" inside "$@"
fi
shift 2
folder=$1 package=$2 units=$3

mount --make-rprivate /
layer=$folder/layer
mkdir -p "$layer"
mount -t tmpfs tmpfs "$layer"
root=$layer/root
mkdir "$layer/upper" "$layer/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$root"

mount -t proc proc "$root/proc"
# Settings of the kernel are not this systemd's to change.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for each in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$root/$each"; done
chmod 1777 "$root/tmp"
for each in null zero full random urandom tty; do
  : >"$root/dev/$each"
  mount --bind "/dev/$each" "$root/dev/$each"
done
mkdir "$root/dev/shm" "$root/dev/pts"
chmod 1777 "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for each in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${each%%:*}" "$root/dev/${each#*:}"; done

mkdir -p "$root/opt/orch" "$root/opt/world" "$root/opt/units" "$root/usr/local/bin"
mount --bind "$package" "$root/opt/orch"
mount --bind "$folder/world" "$root/opt/world"
mount --bind "$units" "$root/opt/units"
ln -sf /opt/orch/bin/orch.js "$root/usr/local/bin/orch"

cd "$root"
mkdir old-root
pivot_root . old-root
umount -l /old-root
# Credentials are mounted outside systemd and have to reach it. Nothing is shared with this machine.
mount --make-rshared /
exec env -i container=orch-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  SYSTEMD_UNIT_PATH=/opt/units /lib/systemd/systemd --unit=basic.target --show-status=no
