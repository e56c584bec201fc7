# shellcheck shell=bash
# What scripts/up, scripts/setup and scripts/test share: bringing this machine to where the platform runs. Sourced, never run.
# Everything that is already there is left alone, and every step says in one line what it does before it does it.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
node_least=24.9   # native TypeScript, node:sqlite, and upgrades that a server may leave alone
node_installed=26 # the release line installed beside the project when the machine's own is older

# The PATH that npm was installed for: npm keeps running on its own Node.js, whichever one the platform gets.
own_path=$PATH

say() { printf 'hearth: %s\n' "$*"; }
warn() { printf 'hearth: warning: %s\n' "$*" >&2; }
die() {
  printf 'hearth: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '        %s\n' "$line" >&2; done
  exit 1
}

# ---------------------------------------------------------------- one at a time

# Two set-ups in one checkout would install over each other. The lock goes with the process, however it ends.
lock_setup() {
  mkdir -p "$root/.cache"
  command -v flock >/dev/null || return 0
  exec 9>"$root/.cache/setup.lock"
  flock --nonblock 9 && return 0
  say 'another set-up is at work in this folder; waiting for it'
  flock 9
}
unlock_setup() { exec 9>&-; }

# ---------------------------------------------------------------- Node.js

# 0 when it isn't there or doesn't run.
# $1: a program. Whether it is a Node.js that is new enough.
node_will_do() { "$1" -e "
  const [major, minor] = process.versions.node.split('.'), [least, leastMinor] = '$node_least'.split('.');
  process.exit((major - least || minor - leastMinor) < 0 ? 1 : 0)" 2>/dev/null; }

run_npm() { (cd "$root" && PATH=$own_path npm "$@" --loglevel=error --no-fund --no-audit --no-update-notifier 9>&-); }

need_npm() { command -v npm >/dev/null || die 'npm is missing.' 'Install Node.js (20 or newer) together with npm: https://nodejs.org/en/download'; }
own_node_will_do() { node_will_do node; }

# Leaves a PATH on which `node` is new enough.
setup_node() {
  if own_node_will_do; then
    say "Node.js: using $(node --version) from PATH"
    return
  fi
  local folder=$root/.node
  local bin=$folder/node_modules/.bin
  if ! node_will_do "$bin/node"; then
    local arch
    case $(uname -m) in
      x86_64) arch=x64 ;;
      aarch64 | arm64) arch=arm64 ;;
      *) die "Node.js $node_least or newer is needed, and there is no ready package of it for $(uname -m)." 'Install one and put it on PATH: https://nodejs.org/en/download' ;;
    esac
    say "Node.js: $(node --version 2>/dev/null || echo none) on PATH is older than $node_least; installing Node.js $node_installed from npm into .node/ (some 200 MB)"
    mkdir -p "$folder"
    # The package that holds the binary itself: it has no install script that npm might refuse to run.
    run_npm install --prefix "$folder" --no-save --ignore-scripts "node-linux-$arch@$node_installed" >/dev/null ||
      die "npm could not install node-linux-$arch@$node_installed." "Install Node.js $node_least or newer yourself and put it on PATH: https://nodejs.org/en/download"
    node_will_do "$bin/node" ||
      die "The Node.js that npm installed does not run here: $("$bin/node" --version 2>&1 | head -n 1)" \
        'Such binaries need glibc 2.28 or newer; Alpine and older systems have none.' "Install Node.js $node_least or newer and put it on PATH: https://nodejs.org/en/download"
  fi
  PATH=$bin:$PATH
  say "Node.js: using $(node --version) from .node/"
}

# ---------------------------------------------------------------- system packages

# One row for each thing that is needed: package, need (must: nothing works without it; may: something does not work without it),
# how to see that it is there, and what it is for.
platform_packages=(
  'bubblewrap|must|command -v bwrap|isolates functions from the machine and from each other'
  'libatomic1|must|node_finds_its_library|is what the Node.js that gets installed beside the project is linked with'
  'python3|must|python_runs|runs Python functions (3.9 to 3.14)'
  'python3-pip|may|python_has_pip|installs the libraries of Python functions'
  'slirp4netns|may|command -v slirp4netns|gives functions the outside network without the machine'"'"'s own (network mode egress)'
  'iproute2|may|command -v ip|sets up the network of functions (network mode egress)'
  'util-linux|may|util_linux_is_there|runs commands in namespaces and as other users, and bounds functions of Node.js (nsenter, setpriv, unshare, flock, prlimit)'
  'ca-certificates|may|test -s /etc/ssl/certs/ca-certificates.crt|lets functions and pip trust HTTPS servers'
)
test_packages=(
  'python3-venv|must|python_has_venv|makes the virtual environment of the AMQP client that tests use'
  'shellcheck|must|command -v shellcheck|checks the shell scripts'
  'curl|must|command -v curl|calls the platform in the acceptance test'
  'strace|must|command -v strace|makes flushes of the disk fail in tests of the queue'
  'nginx-light|must|has_program nginx|stands in front of the gateway in tests'
  'haproxy|must|has_program haproxy|stands in front of the gateway in tests'
  'openssl|must|command -v openssl|makes the certificate of a broker in tests'
  'redis-server|must|has_program redis-server|is a service that functions use in tests'
  'postgresql|must|ls /usr/lib/postgresql/*/bin/postgres|is a service that functions use in tests'
  'rabbitmq-server|must|has_program rabbitmq-server|is the broker that tests publish to'
  'docker.io|must|has_program dockerd|is the engine of the docker driver in tests'
  'iptables|must|has_program iptables|is what the engine shapes its networks with'
  'docker-compose|must|command -v docker-compose|reads the compose files in tests'
  'golang-go|must|has_program go|builds the example that is written in Go'
  'prometheus|must|command -v promtool|checks metrics and alert rules in tests'
  'chromium|must|has_program chromium|opens the dashboard in tests'
  'systemd|must|command -v systemd-analyze|checks the unit of the service in tests'
)
# Some programs stand where an ordinary user's PATH may not lead.
has_program() { PATH=$PATH:/usr/sbin:/sbin command -v "$1"; }
has_library() { PATH=$PATH:/usr/sbin:/sbin ldconfig -p | grep -F "$1 "; }
node_finds_its_library() { own_node_will_do || has_library libatomic.so.1; }
# As the platform asks it: isolated from what the user's own settings add to it.
ask_python() { "${HEARTH_PYTHON:-${HEARTH_SANDBOX_PYTHON:-python3}}" -I -c "$1"; }
python_runs() { ask_python 'import sys; sys.exit(not (3, 9) <= sys.version_info < (3, 15))'; }
python_has_pip() { ask_python 'import pip' || ask_python 'import ensurepip'; }
python_has_venv() { ask_python 'import ensurepip, venv'; }
util_linux_is_there() { command -v nsenter && command -v setpriv && command -v unshare && command -v flock && command -v prlimit; }

# Rows whose check fails, of those given.
missing_of() {
  local row package need check purpose
  for row in "$@"; do
    IFS='|' read -r package need check purpose <<<"$row"
    # The checks are the words above, nobody else's.
    eval "$check" >/dev/null 2>&1 || printf '%s\n' "$row"
  done
}

run_apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" 9>&-; }

# Installs what is missing of the rows given.
setup_packages() {
  local rows=() names=() purposes=() must=() row package need check purpose as_root=() log=$root/.cache/apt.log
  mapfile -t rows < <(missing_of "$@")
  if ((${#rows[@]} == 0)); then
    say 'system packages: all there'
    return
  fi
  for row in "${rows[@]}"; do
    IFS='|' read -r package need check purpose <<<"$row"
    names+=("$package")
    purposes+=("$(printf '%-16s %s' "$package" "$purpose")")
    [[ $need != must ]] || must+=("$package")
  done

  local command="apt-get update && apt-get install --no-install-recommends ${names[*]}"
  local obstacle=''
  if ! command -v apt-get >/dev/null; then
    obstacle='this system has no apt-get'
    command="your package manager's install command for: ${names[*]}"
  elif ((EUID != 0)); then
    command="sudo apt-get update && sudo apt-get install --no-install-recommends ${names[*]}"
    # A sudo that would ask for a password is of use only where somebody can answer.
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then as_root=(sudo); else obstacle='this user may not install packages'; fi
  fi

  if [[ $obstacle ]]; then
    if ((${#must[@]})); then die "system packages are missing, and $obstacle. Missing:" "${purposes[@]}" 'Install them, then run this again:' "  $command"; fi
    warn "system packages are missing, and $obstacle; going on without them:"
    printf '        %s\n' "${purposes[@]}" "to install them: $command" >&2
    return
  fi

  say "system packages: installing with apt-get${as_root:+ and sudo}:"
  printf '        %s\n' "${purposes[@]}"
  # The lists of a fresh machine are empty, those of an old one name versions that are gone: then, and only then, fetch them.
  if ! run_apt install -y --no-install-recommends "${names[@]}" >"$log" 2>&1; then
    say 'system packages: fetching the package lists first'
    if ! { run_apt update && run_apt install -y --no-install-recommends "${names[@]}"; } >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      ((${#must[@]} == 0)) || die 'apt-get could not install them (see above).' 'Install them, then run this again:' "  $command"
      warn "apt-get could not install them (see above); going on without: ${names[*]}"
    fi
  fi

  hash -r
  mapfile -t rows < <(missing_of "${rows[@]}")
  for row in "${rows[@]}"; do
    IFS='|' read -r package need check purpose <<<"$row"
    [[ $need != must ]] || die "$package is installed, but this still fails: $check" "It is needed because it $purpose."
    warn "still missing after the installation: $package, which $purpose"
  done
}

# ---------------------------------------------------------------- npm dependencies

# $1: production or all. What `all` installed serves production too, and is never taken away for its sake.
setup_dependencies() {
  local stamp=$root/node_modules/.hearth-stamp kind=$1 hash have='' omit=()
  [[ $kind == all ]] || omit=(--omit=dev)
  hash=$(sha256sum "$root/package-lock.json" | cut -d ' ' -f 1)
  [[ ! -f $stamp ]] || have=$(<"$stamp")
  if [[ $have == "$hash all" || $have == "$hash $kind" ]]; then
    say 'npm dependencies: up to date'
    return
  fi
  # A folder that somebody filled with npm itself is as good as ours when npm finds nothing amiss in it.
  if [[ -d $root/node_modules ]] && run_npm ls --all "${omit[@]}" >/dev/null 2>&1; then
    say 'npm dependencies: already installed'
    return
  fi
  # Replacing what somebody works with must not lose them their tools.
  if [[ $have == *' all' || -e $root/node_modules/.bin/vitest ]]; then kind=all omit=(); fi
  say "npm dependencies: installing from package-lock.json ($kind)"
  run_npm ci "${omit[@]}" >/dev/null || die 'npm could not install the dependencies (see above).'
  printf '%s %s\n' "$hash" "$kind" >"$stamp"
}

# ---------------------------------------------------------------- the dashboard

# Built from what is in the checkout; the packages that build it are its own, so that who only runs the platform has them here and nowhere else.
# $1: production or all. The platform works without the page, and the tests don't.
setup_dashboard() {
  local kind=$1 folder=$root/dashboard
  if node "$folder/build.js" --check && [[ $kind == production || -d $folder/node_modules ]]; then
    say 'dashboard: up to date'
    return
  fi
  say 'dashboard: installing what builds it, and building'
  if ! { run_npm ci --prefix "$folder" --ignore-scripts >/dev/null && node "$folder/build.js"; }; then
    [[ $kind == production ]] || die 'the dashboard could not be built (see above).'
    warn 'the dashboard could not be built (see above); going on without it'
  fi
}

# ---------------------------------------------------------------- all of it

# $1: `production`, what running the platform takes; `all`, what its tests take besides.
setup() {
  local kind=$1 rows=("${platform_packages[@]}")
  [[ $kind == production ]] || rows+=("${test_packages[@]}")
  lock_setup
  need_npm
  setup_packages "${rows[@]}"
  setup_node
  setup_dependencies "$kind"
  setup_dashboard "$kind"
  unlock_setup
}
