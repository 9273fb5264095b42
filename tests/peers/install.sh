#!/bin/bash
# Installs the Debian packages of the real peers (tests/peers/peer.py). No service is started, now or at the next boot.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
python=${PYTHON:-python3}

packages=$("$python" "$here/peer.py" packages)
services=$("$python" "$here/peer.py" services)
if [ -z "$packages" ]; then
    echo "All peers are installed."
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "make peers knows only Debian and Ubuntu (no apt-get here). Missing:" $packages >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "make peers installs Debian packages and needs root: sudo make peers. Missing:" $packages >&2
    exit 1
fi

# Debian asks this program before a package starts a service; 101 means "no". Ours stands only while we install.
policy=/usr/sbin/policy-rc.d
denies() { [ -x "$policy" ] && { rc=0; "$policy" any start >/dev/null 2>&1 || rc=$?; [ "$rc" = 101 ]; }; }
if ! denies; then
    saved=
    if [ -e "$policy" ]; then
        saved=$(mktemp /usr/sbin/policy-rc.d.duoproxy.XXXXXX)
        cp -a "$policy" "$saved"
    fi
    put_back() { if [ -n "$saved" ]; then mv -f "$saved" "$policy"; else rm -f "$policy"; fi; }
    trap put_back EXIT
    trap 'exit 1' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -q -o Acquire::Retries=3 </dev/null
apt-get install -y -q -o Acquire::Retries=3 --no-install-recommends $packages </dev/null

# Installed does not mean wanted: nothing of this is to run after the next boot.
for service in $services; do
    if command -v systemctl >/dev/null; then
        systemctl disable --quiet "$service" || echo "Could not disable $service; it may start at the next boot." >&2
    fi
done

still=$("$python" "$here/peer.py" packages)
if [ -n "$still" ]; then
    echo "These packages were installed, but did not bring what the tests look for:" $still >&2
    exit 1
fi
echo "Installed:" $packages
