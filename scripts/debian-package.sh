# Sourced: unpacks one of Debian's packages into a folder, without installing anything. Needs `say` and limit_s (of each attempt).

# apt_into FOLDER APT-GET-ARGUMENT...: apt-get with lists, cache and state of its own.
apt_into() {
  local folder=$1 sandbox=()
  shift
  # Root's apt would fetch as the user _apt, who may not enter this folder.
  [ "$(id -u)" != 0 ] || sandbox=(-o APT::Sandbox::User=root)
  timeout --foreground --kill-after=5 "$limit_s" apt-get -qq "${sandbox[@]+"${sandbox[@]}"}" \
    -o Dir::State="$folder/state" -o Dir::State::status=/var/lib/dpkg/status -o Dir::State::lists="$folder/lists" \
    -o Dir::Cache="$folder/cache" -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 -o Acquire::Retries=0 \
    "${sources[@]+"${sources[@]}"}" "$@" >/dev/null 2>"$folder/log" </dev/null
}

# unpack_debian PACKAGE SUITE FOLDER: into FOLDER/root. SUITE `own` takes the system's sources as they are; a suite's name
# takes the system's own mirror for it.
unpack_debian() {
  local package=$1 suite=$2 folder=$3 codename site sources=()
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
  apt_into "$folder" update && (cd "$folder" && apt_into "$folder" download "$package") ||
    { say "Debian's package $package cannot be fetched from here"; return 1; }
  dpkg -x "$folder/$package"_*.deb "$folder/root"
}
