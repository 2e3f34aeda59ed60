# shellcheck shell=bash
# What the two servers on a Java machine have in common.
#
# A class-data archive halves their start. The first process of a version records one and
# writes it when it ends by `stop` or `down`; the next one uses it. Without an archive, or
# with one that does not fit, Java starts the slow way: nothing depends on it.

jvm_command() { # NAME -> COMMAND: java with the options of the recorded profile
    find_java
    mkdir -p "$RUN/$1/tmp"
    # A killed process leaves the native libraries that it unpacked: there `down` finds them.
    COMMAND=("$JAVA" -XX:-UsePerfData -XX:+ExitOnOutOfMemoryError -Djava.io.tmpdir="$RUN/$1/tmp")
    if [ "$(profile_of "$1")" = test ]; then
        # Tests want a quick start and leave the two cores to the code under test.
        COMMAND+=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1)
    else
        COMMAND+=(-XX:+UseG1GC)
    fi
}

jvm_archive() { # NAME -> COMMAND: uses the archive if there is one, else records one
    local archive
    archive=$(archive_path "$1")
    if [ -s "$archive" ]; then
        COMMAND+=(-XX:SharedArchiveFile="$archive")
    else
        # At its end it lists every class that it left out; only errors matter.
        COMMAND+=(-XX:ArchiveClassesAtExit="$archive.new" -Xlog:disable -Xlog:all=error:stderr)
    fi
}

jvm_stop() { # NAME SIGNAL LIMIT_S: ends it gently, and keeps the archive that it writes at its end
    local archive
    end_gently "$1" "$2" "$3" || return 1
    [ -n "${JAVA_STAMP:-}" ] || find_java
    archive=$(archive_path "$1")
    if [ -s "$archive.new" ]; then mv "$archive.new" "$archive"; fi
}

jvm_down() { # NAME: its data goes, so a clean end is worth its seconds only for the archive
    find_java
    if [ -s "$(archive_path "$1")" ] || ! jvm_stop "$1" TERM "$STOP_LIMIT_S"; then
        kill_hard "$1" || true
    fi
}

archive_path() { # NAME: of these jars under this very Java
    mkdir -p "$DIR/archives"
    echo "$DIR/archives/$1-$("${1}_version")-$JAVA_STAMP.jsa"
}
