#!/bin/sh
# Fetches the command line of aos for the checks that drive it, into target/aos or the folder given. It is on no registry in
# its current version, and names a version of aoconnect that was never published: the one of this folder takes its place.
# AOS_SOURCE names another git repository to take it from. Nothing of it is kept in this repository; the checks say that they
# were skipped while it is absent.
set -eu
folder=${1:-$(dirname "$0")/../target/aos}
source=${AOS_SOURCE:-https://github.com/permaweb/aos}
version=v2.0.16
aoconnect=$(node -p 'require(process.argv[1]).dependencies["@permaweb/aoconnect"]' "$(cd "$(dirname "$0")" && pwd)/package.json")
if [ -e "$folder" ]; then
    echo "$folder is there already; remove it to have it fetched again" >&2
    exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
GIT_TERMINAL_PROMPT=0 git -c advice.detachedHead=false clone --quiet --depth 1 --branch "$version" "$source" "$work/aos"
cd "$work/aos"
rm -rf .git package-lock.json
node -e '
  const fs = require("fs")
  const wanted = JSON.parse(fs.readFileSync("package.json"))
  delete wanted.workspaces
  delete wanted.devDependencies
  wanted.dependencies["@permaweb/aoconnect"] = process.argv[1]
  fs.writeFileSync("package.json", JSON.stringify(wanted, null, 2))
' "$aoconnect"
npm install --silent --no-audit --no-fund --omit=dev --ignore-scripts
cd - >/dev/null
mkdir -p "$(dirname "$folder")"
mv "$work/aos" "$folder"
ls -d "$folder/bin/aos.js"
