#!/usr/bin/env bash
# Repeats the fresh machine: an empty Debian root file system with nothing but git, certificates and this
# machine's Node and npm, into which the checkout is cloned and where its commands run with nothing done first.
#
#   sudo scripts/fresh-root.sh [--dir FOLDER] [--keep] [--base FOLDER] [-- COMMAND …]
#
# Without a COMMAND it runs `npm run render` and then `npm test`. Only what is committed is cloned.
set -euo pipefail

suite=bookworm
# Empty: debootstrap's own choice of mirror, which it also writes into the root's list of sources.
mirror=${CUADRO_DEBIAN_MIRROR:-}
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=''
base=''
keep=no

usage() { sed -n '2,7p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//'; }

while [ $# -gt 0 ]; do
  case $1 in
    --dir) dir=${2:?--dir needs a folder}; shift 2 ;;
    --base) base=${2:?--base needs a folder}; shift 2 ;; # A root made by debootstrap before, copied instead of made.
    --keep) keep=yes; shift ;;
    --help) usage; exit 0 ;;
    --) shift; break ;;
    *) usage >&2; exit 2 ;;
  esac
done

[ "$(id -u)" = 0 ] || { echo 'A fresh root needs root: mounts and chroot. Run this with sudo.' >&2; exit 1; }
for tool in debootstrap git node npm; do
  command -v "$tool" >/dev/null || { echo "$tool is missing: install it first." >&2; exit 1; }
done
if [ -n "$dir" ] && [ -d "$dir" ] && [ -n "$(ls -A "$dir")" ]; then
  echo "$dir is not empty: name a new folder." >&2
  exit 1
fi
dir=${dir:-$(mktemp -d -t cuadro-fresh-XXXXXX)}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd -P)
root=$dir/root

mounted=()
clean_up() {
  local code=$? target
  trap - EXIT INT TERM HUP
  # What still runs inside (a node that was started, a hung Blender) would keep the mounts busy.
  for process in /proc/[0-9]*; do
    case $(readlink "$process/root" 2>/dev/null || true) in
      "$root" | "$root"/*) kill -KILL "${process#/proc/}" 2>/dev/null || true ;;
    esac
  done
  for ((index = ${#mounted[@]} - 1; index >= 0; index--)); do
    target=${mounted[index]}
    umount "$target" 2>/dev/null || umount --lazy "$target" || true
  done
  if grep -q " $root/" /proc/mounts; then
    echo "Something is still mounted below $root: nothing was deleted." >&2
  elif [ "$keep" = yes ]; then
    echo "Kept: $root"
  else
    rm -rf --one-file-system "$dir"
  fi
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ -n "$base" ]; then
  cp -a "$base" "$root"
else
  echo "Making an empty Debian $suite …"
  debootstrap --variant=minbase --include=ca-certificates,git "$suite" "$root" ${mirror:+"$mirror"} >"$dir/debootstrap.log" 2>&1 ||
    { tail -n 15 "$dir/debootstrap.log" >&2; exit 1; }
fi

# Node and npm of the system, not those of node_modules, which npm puts first.
PATH=$(printf %s "$PATH" | tr ':' '\n' | grep -v 'node_modules/\.bin' | paste -sd:)
node_binary=$(readlink -f "$(command -v node)")
npm_package=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
install -D -m 755 "$node_binary" "$root/usr/bin/node"
mkdir -p "$root/usr/lib/node_modules"
cp -a "$npm_package" "$root/usr/lib/node_modules/npm"
ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/bin/npm"
ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/bin/npx"

# How this machine reaches the network: names, certificates, and the way to Debian's packages.
cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
cp -L /etc/hosts "$root/etc/hosts" 2>/dev/null || true
certificates=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}
if [ -f "$certificates" ]; then
  cp -L "$certificates" "$root/etc/ssl/certs/ca-certificates.crt"
fi
if [ -z "$base" ] && [ -z "${CUADRO_DEBIAN_MIRROR:-}" ]; then
  rm -f "$root/etc/apt/sources.list"
  for source in /etc/apt/sources.list /etc/apt/sources.list.d/debian.*; do
    if [ -f "$source" ]; then install -D -m 644 "$source" "$root$source"; fi
  done
fi
if [ ! -f "$root/etc/apt/sources.list" ] && ! ls "$root"/etc/apt/sources.list.d/* >/dev/null 2>&1; then
  [ -z "$mirror" ] || echo "deb $mirror $suite main" >"$root/etc/apt/sources.list"
fi
# Only settings of proxy and certificates: hooks of other packages would call programs that are not inside.
for setting in /etc/apt/apt.conf.d/*; do
  if grep -qEi 'proxy|verify|cainfo' "$setting" 2>/dev/null; then install -D -m 644 "$setting" "$root$setting"; fi
done

# mount_in FOLDER MOUNT-OPTIONS…
mount_in() {
  local target=$root/$1
  shift
  mkdir -p "$target"
  mount "$@" "$target"
  mounted+=("$target")
}
mount_in proc -t proc proc
mount_in dev -t tmpfs -o mode=755,size=1m tmpfs
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
  mounted+=("$root/dev/$device")
done
mount_in dev/pts -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts
mount_in dev/shm -t tmpfs -o mode=1777 tmpfs
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"

git clone --quiet --no-hardlinks "$checkout" "$root/root/cuadro"

inside() {
  local passed=()
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    if [ -n "${!name:-}" ]; then passed+=("$name=${!name}"); fi
  done
  echo "In the fresh root: $*"
  env -i HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt "${passed[@]}" \
    chroot "$root" /bin/sh -c 'cd /root/cuadro && exec "$@"' sh "$@"
}

started=$(date +%s)
if [ $# -gt 0 ]; then
  inside "$@"
else
  inside npm run render
  inside npm test
fi
echo "All of it ended well in the fresh root, in $(($(date +%s) - started)) s."
