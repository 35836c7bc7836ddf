#!/bin/sh
# Writes .env from .env.example, or goes through the .env that is there: each secret that stands empty gets 48 random
# hexadecimal digits. What is set is left as it is, so it may be run again, as after an upgrade that brings a new one.
set -eu
cd "$(dirname "$0")/.."
umask 077

# A value in the example is the user's to change; one that is empty there is a secret.
secrets=$(sed -n 's/^\([A-Z_]*\)=$/\1/p' .env.example)
[ -e .env ] || cp .env.example .env
filled=$(mktemp .env.XXXXXX)
trap 'rm -f "$filled" "$filled.new"' EXIT
cp .env "$filled"
for name in $secrets; do
  if grep -q "^$name=." "$filled"; then
    continue
  fi
  secret=$(od -An -v -tx1 -N24 /dev/urandom | tr -d ' \n')
  if grep -q "^$name=$" "$filled"; then
    sed "s/^$name=\$/$name=$secret/" "$filled" > "$filled.new"
    mv "$filled.new" "$filled"
  else
    printf '%s=%s\n' "$name" "$secret" >> "$filled"
  fi
  echo "filled $name"
done
mv "$filled" .env
trap - EXIT
echo ".env is complete"
