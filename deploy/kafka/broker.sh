#!/usr/bin/env bash
# A real Kafka broker on loopback, for tests and trials.
#
#   broker.sh fetch                                  make the class path ready (installs Java 17 and Maven where they lack)
#   broker.sh format DIR [FEATURE=LEVEL...]          format DIR/data, e.g. transaction.version=1
#   broker.sh start DIR PORT [CONTROLLER_PORT] [KEY=VALUE...]   run in the foreground; the process becomes the JVM
#   broker.sh console-consumer ARGUMENT...           Kafka's own console consumer
#   broker.sh features ARGUMENT...                   Kafka's own feature tool
#   broker.sh dump-log ARGUMENT...                   Kafka's own log dump
#
# The jars go to .cache/kafka below the root of the repository; MILLRACE_CACHE replaces .cache. A second fetch
# finds them and does nothing; parallel fetches wait for one another.
#
# Environment: MILLRACE_KAFKA_HEAP (default 768m), MILLRACE_KAFKA_LOG_LEVEL (default WARN), MILLRACE_KAFKA_HOST (the address
# to listen on, default 127.0.0.1; there is neither encryption nor authentication, so give it no other but of a network that
# is yours).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${MILLRACE_CACHE:-$root/.cache}/kafka

say() { echo "broker.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# The pom names the content of the class path, so its checksum names the folder: a changed pom is a new folder.
class_path_folder() { echo "$cache/$(sha256sum <"$here/pom.xml" | cut -c1-16)"; }

java_ready() {
  command -v java >/dev/null || return 1
  local version
  version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
  [[ -n $version && $version -ge 17 ]]
}

install_packages() {
  local missing=()
  java_ready || missing+=(default-jre-headless)
  command -v mvn >/dev/null || missing+=(maven)
  [[ ${#missing[@]} -gt 0 ]] || return 0
  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || die "need ${missing[*]}: install them as root, then try again"
    as_root=(sudo)
  fi
  command -v apt-get >/dev/null || die "need ${missing[*]}: install Java 17 or newer and Maven, then try again"
  say "installing ${missing[*]} with apt-get"
  "${as_root[@]}" apt-get update -qq >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
  java_ready || die "the installed Java is older than 17"
}

# resolve fills a folder beside the final one and renames it, so that a folder that exists is whole.
resolve() {
  local folder=$1 fresh
  fresh=$(mktemp -d "$cache/fetch.XXXXXX")
  say "fetching Kafka's jars into $folder"
  mvn -B -q -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$fresh/lib" >&2 ||
    { rm -rf "$fresh"; die "Maven could not resolve $here/pom.xml"; }
  find "$fresh/lib" -name '*.jar' | sort | sed "s|^$fresh|$folder|" | paste -sd: >"$fresh/classpath.txt"
  mv -T "$fresh" "$folder"
}

# usable reports whether the class path was written for the place where it lies now: a cache may have been moved.
usable() {
  local folder=$1 first
  [[ -s $folder/classpath.txt ]] && java_ready || return 1
  first=$(cut -d: -f1 <"$folder/classpath.txt")
  [[ $first == "$folder"/lib/* && -f $first ]]
}

fetch() {
  local folder
  folder=$(class_path_folder)
  usable "$folder" && return 0
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  if ! usable "$folder"; then
    install_packages
    rm -rf "$folder"
    resolve "$folder"
  fi
  exec 9>&-
}

class_path() {
  local file
  file=$(class_path_folder)/classpath.txt
  [[ -s $file ]] || die "no class path yet: run '$0 fetch' first"
  cat "$file"
}

# tool runs one of Kafka's command line classes in place of this shell.
tool() {
  local class=$1
  shift
  exec java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC \
    -Dlog4j2.configurationFile="$here/log4j2-tools.properties" -cp "$(class_path)" "$class" "$@"
}

write_properties() {
  local dir=$1 port=$2 controller=$3 host=${MILLRACE_KAFKA_HOST:-127.0.0.1}
  shift 3
  {
    cat "$here/broker.properties"
    echo "listeners=PLAINTEXT://$host:$port,CONTROLLER://$host:$controller"
    echo "advertised.listeners=PLAINTEXT://$host:$port,CONTROLLER://$host:$controller"
    echo "controller.quorum.voters=1@$host:$controller"
    echo "log.dirs=$dir/data"
    printf '%s\n' "$@"
  } >"$dir/broker.properties"
}

# cluster_id draws 128 bits the way Kafka prints them; a leading dash would read as an option.
cluster_id() { head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c1-22 | sed 's/^-/A/'; }

format() {
  [[ $# -ge 1 ]] || die "format: need a folder"
  local dir=$1 features=() feature
  shift
  for feature in "$@"; do features+=(--feature "$feature"); done
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  # Ports are those of the start; formatting only wants some.
  write_properties "$dir" 9092 9093
  tool kafka.tools.StorageTool format --cluster-id "$(cluster_id)" --config "$dir/broker.properties" "${features[@]}"
}

start() {
  [[ $# -ge 2 ]] || die "start: need a folder and a port"
  local dir port controller
  dir=$(cd "$1" && pwd) port=$2 controller=$(($2 + 1))
  shift 2
  if [[ ${1:-} =~ ^[0-9]+$ ]]; then
    controller=$1
    shift
  fi
  [[ -f $dir/data/meta.properties ]] || die "start: $dir is not formatted"
  write_properties "$dir" "$port" "$controller" "$@"
  local heap=${MILLRACE_KAFKA_HEAP:-768m}
  exec java -Xms256m -Xmx"$heap" -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:MaxDirectMemorySize=256m \
    -Djava.awt.headless=true -Dlog4j2.configurationFile="$here/log4j2.properties" \
    -cp "$(class_path)" kafka.Kafka "$dir/broker.properties"
}

command=${1:-}
[[ $# -gt 0 ]] && shift
case $command in
  fetch) fetch ;;
  format) format "$@" ;;
  start) start "$@" ;;
  console-consumer) tool org.apache.kafka.tools.consumer.ConsoleConsumer "$@" ;;
  features) tool org.apache.kafka.tools.FeatureCommand "$@" ;;
  dump-log) tool org.apache.kafka.tools.DumpLogSegments "$@" ;;
  *) sed -n '2,18s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
