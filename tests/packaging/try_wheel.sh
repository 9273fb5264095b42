#!/bin/bash
# Installs a wheel in a venv of its own and sees, from a folder outside the tree, that it is whole: twistd lists the
# plugin, the commands answer, and a configuration that cannot be used ends with status 1 and no traceback.
set -euo pipefail

wheel=$(readlink -f "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset PYTHONPATH

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --disable-pip-version-check install --quiet "$wheel"
cd "$folder"

fail() { echo "$wheel: $1" >&2; exit 1; }

venv/bin/twistd --help >help.txt
grep -q '^ *duoauthproxy ' help.txt || fail "twistd --help does not list duoauthproxy"
venv/bin/authproxyctl --help >/dev/null || fail "authproxyctl --help fails"
venv/bin/duoproxy-login --help >/dev/null || fail "duoproxy-login --help fails"

printf '[radius_server_auto]\nikey=x\n' >broken.cfg
status=0
venv/bin/twistd -n --pidfile= duoauthproxy -c broken.cfg >out.txt 2>err.txt || status=$?
[ "$status" = 1 ] || fail "a configuration that cannot be used ends with status $status instead of 1"
grep -q 'broken.cfg:1' err.txt || fail "the problems of a configuration are not on stderr: $(cat err.txt)"
! grep -q Traceback out.txt err.txt || fail "a start that fails shows a traceback: $(cat out.txt err.txt)"

echo "$(basename "$wheel"): installs, is found by twistd, and starts."
