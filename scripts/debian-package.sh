# Sourced: gets a Debian package's files without installing it. All talk goes to stderr, by `say` of whoever sources it.

# debian_unpack PACKAGE SUITE FOLDER LIMIT_S: fetches the package and unpacks it below FOLDER/root. SUITE is `own` for the
# system's sources as they are, or a suite's name for the system's own mirror of it. LIMIT_S: of each fetch. Fails where
# there is no apt, the system is no Debian (for a suite by name), or the package cannot be fetched.
debian_unpack() {
  local package=$1 suite=$2 folder=$3 limit_s=$4 codename site sources=()
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
  mkdir -p "$folder"/{state,lists/partial,cache/archives/partial,root}
  if [ "$suite" != own ]; then
    codename=$(. /etc/os-release && [ "${ID:-}" = debian ] && printf '%s' "${VERSION_CODENAME:-}") || return 1
    site=$(apt-get indextargets --format '$(CREATED_BY) $(RELEASE) $(COMPONENT) $(SITE)' 2>/dev/null |
      awk -v codename="$codename" '$1 == "Packages" && $2 == codename && $3 == "main" { print $4; exit }')
    [ -n "$site" ] && [ -r /usr/share/keyrings/debian-archive-keyring.gpg ] || return 1
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$site" "$suite" >"$folder/sources.list"
    sources=(-o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null)
  fi
  debian_apt update && (cd "$folder" && debian_apt download "$package") ||
    { say "Debian's package $package cannot be fetched from here"; return 1; }
  dpkg -x "$folder/${package}"_*.deb "$folder/root"
}

# apt-get with lists, cache and state of its own; for debian_unpack alone, whose variables it reads.
debian_apt() {
  local sandbox=()
  # Root's apt would fetch as the user _apt, who may not enter this folder.
  [ "$(id -u)" != 0 ] || sandbox=(-o APT::Sandbox::User=root)
  timeout --foreground --kill-after=5 "$limit_s" apt-get -qq "${sandbox[@]+"${sandbox[@]}"}" \
    -o Dir::State="$folder/state" -o Dir::State::status=/var/lib/dpkg/status -o Dir::State::lists="$folder/lists" \
    -o Dir::Cache="$folder/cache" -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 -o Acquire::Retries=0 \
    "${sources[@]+"${sources[@]}"}" "$@" >/dev/null 2>"$folder/log" </dev/null
}
