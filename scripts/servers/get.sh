# shellcheck shell=bash
# Getting what is missing: Debian packages, jars from Maven, a fitting Java.

install_packages() { # NAME PACKAGE..
    local name=$1
    shift
    command -v apt-get >/dev/null ||
        give_up "there is no $1 here, and no apt-get to install it with"
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null ||
        give_up "there is no $1 here; installing it takes root, or sudo without a password"
    say "$name" "installing $* (once)"
    # One apt at a time, whichever checkout asks. The lists are fetched only if they are too old.
    # shellcheck disable=SC2016 # expanded by the inner shell
    as_root flock /var/lib/dpkg env DEBIAN_FRONTEND=noninteractive sh -c '
        install() { apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"; }
        install "$@" || { apt-get update -q && install "$@"; }
    ' sh "$@" </dev/null >>"$RUN/$name/log" 2>&1 8>&- 9>&- ||
        give_up_with_log "$name" "apt-get could not install $*"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

maven_jars() { # NAME VERSION -> JARS: the folder with the jars of NAME/pom.xml
    local name=$1 part
    JARS="$DIR/jars/$name-$2"
    if [ -d "$JARS" ]; then return; fi
    command -v mvn >/dev/null ||
        give_up "mvn is not installed, which gets its jars (Debian: apt-get install maven)"
    say "$name" "getting the jars of version $2 by Maven (once)"
    part="$JARS.part"
    rm -rf "$part"
    mkdir -p "$part" "${HOME:=$DIR}/.m2"
    # Maven's repository is shared by all checkouts of a user and takes one writer at a time.
    (
        flock 8
        mvn -q -B -Dstyle.color=never dependency:copy-dependencies \
            -f "$HERE/$name/pom.xml" -DoutputDirectory="$part" -DincludeScope=runtime </dev/null 9>&-
    ) 8<"$HOME/.m2" >>"$RUN/$name/log" 2>&1 || give_up_with_log "$name" "Maven could not get its jars"
    mv "$part" "$JARS"
}

find_java() { # -> JAVA, JAVA_STAMP: a Java that runs both Kafka and Cassandra
    local version major
    for JAVA in "${JAVA_HOME:+$JAVA_HOME/bin/java}" "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
        [ -x "$JAVA" ] || continue
        version=$("$JAVA" -version 2>&1 </dev/null) || continue
        major=${version#*version \"}
        major=${major%%[.\"-]*}
        if [[ $major =~ ^[0-9]+$ ]] && ((major >= JAVA_OLDEST && major <= JAVA_NEWEST)); then
            JAVA_STAMP=$(cksum <<<"$JAVA $version $DIR") # an archive fits one Java and one path
            JAVA_STAMP=${JAVA_STAMP%% *}
            return
        fi
    done
    give_up "there is no Java $JAVA_OLDEST to $JAVA_NEWEST here (Debian: apt-get install openjdk-17-jre-headless)"
}
