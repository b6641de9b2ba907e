#!/usr/bin/env bash
# A real WordPress from Debian's packages on loopback, as an interop peer.
#   wordpress.sh up|down|status|reset|purge
#   wordpress.sh publish TITLE HTML [TRACKBACK_URL...]    publish, ping now, print the URL
#   wordpress.sh queue TITLE HTML [TRACKBACK_URL...]      publish, leave pings to "cron"
#   wordpress.sh update POST HTML [TRACKBACK_URL...]      POST is an id or a URL
#   wordpress.sh comments POST | post POST | open POST | close POST | clear [POST] | delete POST...
#   wordpress.sh ping | cron | get OPTION | set OPTION VALUE | unset OPTION | info
# Settings (environment): WPI_STATE WPI_PORT WPI_DB_PORT WPI_WORKERS WPI_PERMALINKS
#   WPI_CRON=1 (leave wp-cron on) WPI_EXCERPT (excerpt of a published post) WPI_OWN_DB=1 (never 3306)
set -euo pipefail
umask 022

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
state=${WPI_STATE:-/tmp/wp-interop}
port=${WPI_PORT:-18181}
db_port=${WPI_DB_PORT:-18182}
workers=${WPI_WORKERS:-4}
export WPI_PERMALINKS=${WPI_PERMALINKS:-} WPI_USER=admin WPI_PASS=interop-password
export WPI_ROOT=$state/www WPI_URL=http://127.0.0.1:$port
db_name=wp_interop
package=/usr/share/wordpress

say() { printf 'wordpress.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
helper() { php -d memory_limit=256M "$here/wp.php" "$@"; }

# ---- processes: a pid file holds "pid starttime", so a reused pid is never mistaken for ours
start_time() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

alive() { # NAME
  local pid since
  [ -r "$state/$1.pid" ] || return 1
  read -r pid since <"$state/$1.pid" || return 1
  [ -n "$since" ] && [ "$(start_time "$pid")" = "$since" ]
}

launch() { # NAME COMMAND... : in a process group of its own, which later ends as a whole
  local name=$1 pid
  shift
  setsid "$@" </dev/null >>"$state/$name.log" 2>&1 9>&- &
  pid=$!
  echo "$pid $(start_time "$pid")" >"$state/$name.pid"
}

finish() { # NAME
  local pid since i
  if alive "$1"; then
    read -r pid since <"$state/$1.pid"
    kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
    for i in $(seq 100); do
      kill -0 -- "-$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
  fi
  rm -f "$state/$1.pid"
}

# ---- packages
install_packages() {
  local want=(wordpress wordpress-theme-twentytwentythree php-cli php-mysql php-xml php-curl php-mbstring mariadb-server) need=() p
  for p in "${want[@]}"; do
    [ "$(dpkg-query -W -f='${Status}' "$p" 2>/dev/null)" = 'install ok installed' ] || need+=("$p")
  done
  [ ${#need[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || die "packages missing (${need[*]}) and not root"
  say "installing ${need[*]}"
  local apt=(apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3) policy=''
  export DEBIAN_FRONTEND=noninteractive
  if [ ! -e /usr/sbin/policy-rc.d ]; then # no Apache or MariaDB service may start by itself
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
  fi
  local rc=0
  { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${need[@]}"; } >"$state/apt.log" 2>&1 </dev/null 9>&- || rc=$?
  [ -z "$policy" ] || rm -f "$policy"
  [ $rc = 0 ] || { tail -n 20 "$state/apt.log" >&2; die "apt-get failed ($state/apt.log)"; }
}

# ---- database: one on 3306 with an open root, or our own
shared_db() { [ -z "${WPI_OWN_DB:-}" ] && mariadb --no-defaults -h127.0.0.1 -P3306 -uroot --connect-timeout=2 -e 'SELECT 1' >/dev/null 2>&1; }

sql() {
  if [ "$(cat "$state/db.kind")" = shared ]; then
    mariadb --no-defaults -h127.0.0.1 -P3306 -uroot "$@"
  else
    mariadb --no-defaults -S "$state/db.sock" -uroot "$@"
  fi
}

start_db() {
  # Once chosen, the kind stays: the site's content is there.
  if [ ! -e "$state/db.kind" ]; then
    if shared_db; then echo shared; else echo own; fi >"$state/db.kind"
  fi
  if [ "$(cat "$state/db.kind")" = shared ]; then
    shared_db || die 'the MariaDB on 3306 that held the site is gone (purge, then up)'
    return
  fi
  alive db && return
  port_free "$db_port" || die "port $db_port is taken (set WPI_DB_PORT)"
  local me datadir=$state/db
  me=$(id -un)
  if [ ! -e "$datadir/.made" ]; then
    rm -rf "$datadir"
    mariadb-install-db --no-defaults --user="$me" --datadir="$datadir" --auth-root-authentication-method=normal \
      --skip-test-db --innodb-log-file-size=16M >"$state/db-install.log" 2>&1 || die "mariadb-install-db failed ($state/db-install.log)"
    touch "$datadir/.made"
  fi
  launch db "$(command -v mariadbd || echo /usr/sbin/mariadbd)" --no-defaults --user="$me" --datadir="$datadir" \
    --socket="$state/db.sock" --pid-file="$state/mariadbd.pid" --bind-address=127.0.0.1 --port="$db_port" \
    --innodb-log-file-size=16M --innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=0 --skip-name-resolve
  local i
  for i in $(seq 300); do
    sql -e 'SELECT 1' >/dev/null 2>&1 && return
    alive db || { tail -n 20 "$state/db.log" >&2; die 'mariadbd ended at once'; }
    sleep 0.1
  done
  die "mariadbd does not answer ($state/db.log)"
}

# ---- the site's folder: made from Debian's files, with our own configuration and plugin
make_site() {
  local db_host version
  if [ "$(cat "$state/db.kind")" = shared ]; then db_host=127.0.0.1:3306; else db_host=localhost:$state/db.sock; fi
  version=$(dpkg-query -W -f='${Version}' wordpress)
  if [ "$(cat "$WPI_ROOT/.package" 2>/dev/null)" != "$version" ]; then
    rm -rf "$WPI_ROOT"
    cp -rL "$package" "$WPI_ROOT" # its links lead out of the package, some of them relatively
    printf '%s\n' "$version" >"$WPI_ROOT/.package"
  fi
  mkdir -p "$WPI_ROOT/wp-content/mu-plugins" "$WPI_ROOT/wp-content/uploads"
  install -m 644 "$here/mu-plugin.php" "$WPI_ROOT/wp-content/mu-plugins/interop.php"
  [ -e "$state/secret" ] || head -c 48 /dev/urandom | base64 -w0 >"$state/secret"
  cat >"$WPI_ROOT/wp-config.php" <<PHP
<?php
define( 'DB_NAME', '$db_name' );
define( 'DB_USER', 'root' );
define( 'DB_PASSWORD', '' );
define( 'DB_HOST', '$db_host' );
define( 'DB_CHARSET', 'utf8mb4' );
define( 'DB_COLLATE', '' );
define( 'WP_HOME', '$WPI_URL' );
define( 'WP_SITEURL', '$WPI_URL' );
define( 'WP_HTTP_BLOCK_EXTERNAL', true );
define( 'WP_ACCESSIBLE_HOSTS', 'localhost,127.*' );
define( 'AUTOMATIC_UPDATER_DISABLED', true );
define( 'DISABLE_WP_CRON', $([ -n "${WPI_CRON:-}" ] && echo false || echo true) );
foreach ( array( 'AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE' ) as \$k ) {
	define( \$k . '_KEY', \$k . 'k$(cat "$state/secret")' );
	define( \$k . '_SALT', \$k . 's$(cat "$state/secret")' );
}
\$table_prefix = 'wp_';
require_once ABSPATH . 'wp-settings.php';
PHP
}

install_site() {
  [ ! -e "$state/installed" ] || return 0
  sql -e "CREATE DATABASE IF NOT EXISTS $db_name CHARACTER SET utf8mb4"
  helper install
  helper configure
  echo "$port $WPI_PERMALINKS" >"$state/installed"
}

http_code() { # URL: the status, 0 for none
  php -r '@file_get_contents($argv[1], false, stream_context_create(["http" => ["ignore_errors" => true, "timeout" => 60]]));
    echo preg_match("#^HTTP/\S+ (\d+)#", $http_response_header[0] ?? "", $m) ? $m[1] : 0;' "$1"
}

port_free() { php -r 'exit(@fsockopen("127.0.0.1", (int) $argv[1], $e, $m, 1) ? 1 : 0);' "$1"; }

start_web() {
  alive web && return
  PHP_CLI_SERVER_WORKERS=$workers launch web php -d opcache.enable_cli=1 -d display_errors=0 -d log_errors=1 \
    -d memory_limit=256M -S "127.0.0.1:$port" -t "$WPI_ROOT" "$here/router.php"
  local i
  for i in $(seq 100); do
    [ "$(http_code "$WPI_URL/xmlrpc.php")" != 405 ] || return 0
    alive web || { tail -n 20 "$state/web.log" >&2; die 'php -S ended at once'; }
    sleep 0.2
  done
  tail -n 20 "$state/web.log" >&2
  die 'the site does not answer'
}

up() {
  install_packages
  alive web || port_free "$port" || die "port $port is taken (set WPI_PORT)"
  if [ -e "$state/installed" ] && [ "$(cat "$state/installed")" != "$port $WPI_PERMALINKS" ]; then
    say 'other port or permalinks than the installed site: reinstalling it'
    finish web
    start_db
    sql -e "DROP DATABASE IF EXISTS $db_name"
    rm -f "$state/installed"
  fi
  start_db
  make_site
  install_site
  start_web
}

down() { finish web; finish db; }

status() {
  local web=false db=false kind=none answers=false
  alive web && web=true
  [ ! -e "$state/db.kind" ] || kind=$(cat "$state/db.kind")
  if [ "$kind" = shared ]; then shared_db && db=true; else alive db && db=true; fi
  [ $web = false ] || [ "$(http_code "$WPI_URL/xmlrpc.php")" != 405 ] || answers=true
  printf '{"web": %s, "db": %s, "db_kind": "%s", "answers": %s, "state": "%s", "url": "%s/"}\n' $web $db "$kind" $answers "$state" "$WPI_URL"
  [ $answers = true ] || return 3
}

locked() { mkdir -p "$state"; exec 9>"$state/.lock"; flock -w 600 9 || die 'another wordpress.sh is at work'; }

case ${1:-} in
  up) locked; up; helper info ;;
  down) locked; down ;;
  status) status ;;
  reset)
    locked
    finish web
    if [ -e "$state/installed" ]; then
      start_db
      sql -e "DROP DATABASE IF EXISTS $db_name"
      rm -f "$state/installed"
    fi
    up
    helper info
    ;;
  purge)
    locked
    if [ -e "$state/db.kind" ] && [ "$(cat "$state/db.kind")" = shared ] && shared_db; then
      sql -e "DROP DATABASE IF EXISTS $db_name"
    fi
    down
    rm -rf "$state"
    ;;
  cron)
    [ -e "$state/installed" ] || die 'not up'
    [ "$(http_code "$WPI_URL/wp-cron.php")" = 200 ] || die 'wp-cron.php failed'
    ;;
  publish | queue | update | ping | post | open | close | comments | clear | delete | get | set | unset | info)
    [ -e "$state/installed" ] || die 'not up'
    helper "$@"
    ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
