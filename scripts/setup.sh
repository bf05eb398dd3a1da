# Sourced by demo.sh and test.sh: what both need before they can do anything. All talk goes to stderr.

say() { printf '%s\n' "$*" >&2; }

require_node() {
  command -v node >/dev/null || { say "error: Node.js 20.18 or newer is needed, and no node is in PATH"; return 1; }
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 18) ? 0 : 1)' ||
    { say "error: Node.js 20.18 or newer is needed; this is $(node --version)"; return 1; }
}

# Installs the locked packages into node_modules of this folder, once for each state of the lock file.
install_packages() {
  local stamp=node_modules/.installed-from lock
  lock=$(cksum <package-lock.json)
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$lock" ] && return 0
  if [ "${NO_INSTALL:-0}" = 1 ]; then
    [ -d node_modules ] && return 0
    say "error: node_modules is missing, and NO_INSTALL=1 forbids to install it"
    return 1
  fi
  say "installing the locked npm packages into ./node_modules"
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 || { say "error: npm ci failed"; return 1; }
  printf '%s' "$lock" >"$stamp"
}

build_packages() {
  npx --no-install tsc -b >&2 || { say "error: the build failed"; return 1; }
  node scripts/build-page.mjs || { say "error: the report page could not be built"; return 1; }
}

# Sets PROMTOOL_BIN where one can be had, and then its test may not be skipped; else says so.
find_promtool() {
  local bin
  if bin=$(./scripts/get-promtool.sh); then
    export PROMTOOL_BIN="$bin" REQUIRE_PROMTOOL=1
  else
    return 1
  fi
}

# Sets CHROMIUM_BIN where one can be had, and then its test may not be skipped; else says so.
find_chromium() {
  local bin
  if bin=$(./scripts/get-chromium.sh); then
    export CHROMIUM_BIN="$bin" REQUIRE_BROWSER=1
  else
    return 1
  fi
}

# Sets NATS_SERVER_BIN where a server can be had; else says so and leaves it empty.
find_nats_server() {
  local bin
  if bin=$(./scripts/get-nats-server.sh); then
    export NATS_SERVER_BIN="$bin"
  else
    export NATS_SERVER_BIN=""
    return 1
  fi
}
