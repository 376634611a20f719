package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

/// `docker cp` and the archives behind it are as with dockerd 20.10, in running, stopped and never started containers.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@ExtendWith(SharedSideBySide.class)
class CopyIT {
    /// What the shell is to know: `stat C P` and `get C P` show a path of a container, `put C P TAR` puts a tar there.
    private static final String SHELL = """
            stat() {
                api "/containers/$1/archive?path=$2" -I | tr -d '\\r' | while read -r name value; do
                    case $name in HTTP*) echo $value ;; X-Docker*|x-docker*) echo $value | base64 -d; echo ;; esac; done | grep -v '^$'
            }
            get() {
                local got=$(mktemp)
                api "/containers/$1/archive?path=$2" -o $got -w '%{http_code} %{content_type}\\n'
                if [ "$(head -c 1 $got)" = '{' ]; then cat $got
                else tar -tv --numeric-owner -f $got 2>/dev/null | sed -E 's/20(2[1-9]|[3-9].)-[0-9-]+ [0-9:]+/now/' | sort -k6; fi
                rm $got
            }
            put() { api "/containers/$1/archive?path=$2&$4" -X PUT -T TARS/$3.tar -w '%{http_code}\\n'; }
            """;

    private SideBySide engines;
    private Path tars;
    private Path host;

    @BeforeAll void prepare(SideBySide shared) throws IOException {
        engines = shared;
        tars = engines.ours.scratch();
        host = engines.ours.scratch();
        Command.of("src/it/make-tars", tars.toString()).run().succeeded();
        Files.writeString(tars.resolve("shell"), SHELL.replace("TARS", tars.toString()));
        Path tree = BusyboxImage.tree(engines.ours);
        Command.of("bash", "-euc", """
                cd "$1"; mkdir -p data/folder/sub volume
                echo one > data/file; echo two > data/folder/two; echo three > data/folder/sub/three; touch -d '2020-01-02 03:04:05.678' data/folder/two
                ln -s /data/file data/absolute; ln -s folder data/folder-link; ln -s ../../../../etc data/up; ln -s nowhere data/dangling; ln -s loop data/loop
                ln data/file data/hard; mkfifo data/pipe; chmod 4755 data/file; chown 1234:1235 data/folder; ln -s /data data-link
                echo image > volume/of-image; setfattr -n user.a -v b data/file || true
                tar -cf ../tree.tar .""", "tree", tree.toString()).run().succeeded();
        for (var engine : List.of(engines.ours, engines.theirs)) {
            engine.docker().run("import", "-c", "CMD [\"sleep\",\"1000\"]", tree + "/../tree.tar", "files:it").succeeded();
        }
    }

    @AfterAll void removeImages() {
        for (var engine : List.of(engines.ours, engines.theirs)) engine.docker().run("rmi", "-f", "files:it");
    }

    @AfterEach void empty() {
        Command.of("sh", "-c", "rm -rf " + host + "/*").run().succeeded();
    }

    /// Each as one line for the shell, after [#SHELL].
    private void agreeOn(String... steps) {
        engines.agreeOn(Stream.of(steps).map(this::knowing).toArray(String[]::new));
    }

    /// The step, for a shell that knows [#SHELL].
    private String knowing(String step) {
        return ". " + tars + "/shell; " + step;
    }

    private static String each(String command, String... paths) {
        return Stream.of(paths).map(path -> "echo \"= " + path + "\"; " + command.replace("PATH", path)).collect(Collectors.joining("\n"));
    }

    @Test void aPathMeansTheSame() {
        // What a path is that leads through a file, or round in a circle, is told with the path on the host there.
        String withoutHost = " | sed -E 's,[^ ]*/merged[^\":]*,PATH,; s,(lstat|links in) /[^:\"]*,\\1 PATH,'";
        agreeOn("docker create --name cc --network none files:it",
                "(" + each("stat cc 'PATH'; get cc 'PATH' | head -12", "/data", "/data/", "/data/.", "/data/./", "/data//", "/data/file", "/data/file/",
                        "/data/file/.", "/data/absolute", "/data/absolute/", "/data/folder-link", "/data/folder-link/", "/data/folder-link/.",
                        "/data/folder-link/two", "/data/up", "/data/dangling", "/data/loop", "/data/loop/x", "/data/pipe", "/nowhere", "/nowhere/x",
                        "/data/file/x", "data/file", "nowhere", "../../etc/passwd", "/data/../etc/passwd", "/data-link/file", "", "/data/folder%20x")
                        + ")" + withoutHost,
                "get cc / | grep -v -e bin/ -e etc/", "get cc /. | grep -v -e bin/ -e etc/", "stat cc / | cut -d, -f1,3", "get cc /data/.. | grep data",
                "stat nobody /data; get nobody /data; put nobody /data plain");
    }

    @Test void aTarIsPutByTheSameRules() {
        String again = "docker rm -f cc >/dev/null 2>&1; docker create --name cc --network none files:it >/dev/null; ";
        for (String rules : List.of("", "noOverwriteDirNonDir=1", "noOverwriteDirNonDir=true&copyUIDGID=1")) {
            String names = rules.isEmpty()
                    ? "plain above above-within link-above link-to-etc-and-through-it hard-link-above hard-link-to-nothing hard-links absolute file-over-folder"
                            + " folder-over-file folder-over-link file-over-link file-over-pipe through-link whiteouts no-parents nodes twice setuid dot cut no-tar empty"
                    : "plain file-over-folder folder-over-file folder-over-link file-over-link through-link";
            agreeOn(Stream.of(names.split(" ")).map(tar -> again + "put cc /data " + tar + " '" + rules + "'; get cc /data").toArray(String[]::new));
        }
        agreeOn(again, "for packed in gz bz2 xz; do api '/containers/cc/archive?path=/volume' -X PUT -T TARS/packed.tar.$packed -w '%{http_code}\\n'; get cc /volume; done"
                .replace("TARS", tars.toString()),
                each("put cc PATH plain", "/data/folder-link", "/data/up", "/data/file", "/nowhere", "/data/dangling", "", "data/folder/."), "get cc /", "docker diff cc | grep -v ^C | sort");
    }

    @Test void theCommandLineCopiesInAndOut() {
        // What the client says of its own pipe, which the engine stopped reading, depends on who was quicker.
        String copy = "docker cp PATH 2>&1 | grep -v 'closed pipe'; echo ${PIPESTATUS[0]}";
        String made = "mkdir " + tars + "/work; cd " + tars + "/work; mkdir -p src/sub; echo a > src/a; echo b > src/sub/b; ln -s a src/link; ln -s src source-link; ln -s src/a file-link;"
                + " chown -R 12:34 src; chmod 4750 src/a; touch -d 2020-02-02 src/a src/sub; ";
        String shown = "; find . -printf '%p %y %m %U:%G %l %TY\\n' | sort; cd /; rm -r " + tars + "/work";
        agreeOn("docker run -d --name cc --network none files:it",
                made + each(copy, "src cc:/in-1", "src/ cc:/in-2/", "src/. cc:/in-3", "src cc:/data", "src/a cc:/in-4", "src/a cc:/data/", "src/a cc:/data/file",
                        "src/a cc:/nowhere/x", "src/a cc:/nowhere/", "src cc:/data/file", "source-link cc:/in-5", "-L source-link cc:/in-6", "-L file-link cc:/in-7",
                        "file-link cc:/in-8", "-a src cc:/in-9", "-a src/a cc:/data/folder/", "nothing cc:/x", "src cc:/data/absolute", "src/a cc:/data/dangling")
                        + "\ntar c src | docker cp - cc:/data/folder; tar c src | docker cp -a - cc:/data/folder/sub; tar c src | docker cp - cc:/nowhere; tar c src | docker cp - cc:/data/file"
                        + "; cd /; rm -r " + tars + "/work",
                "get cc / | grep -e '/in-' -e /data -e '/a$'",
                made + each(copy, "cc:/data out-1", "cc:/data/. out-2", "cc:/data/file out-3", "cc:/data/file src", "cc:/data/file src/a", "cc:/data/folder src/a",
                        "cc:/data/absolute out-4", "-L cc:/data/absolute out-5", "cc:/data/folder-link out-6", "-L cc:/data/folder-link out-7", "cc:/data/folder-link/ out-8",
                        "cc:/data/folder-link/. out-9", "-a cc:/data/folder out-10", "cc:/nowhere out-11", "cc:/data/file nowhere/x", "cc:/data/file nowhere/", "cc:/data/dangling out-12",
                        "-L cc:/data/dangling out-13", "cc:/etc/hostname out-14") + shown,
                "docker cp cc:/data/folder - | tar tv --numeric-owner | sed -E 's/20(2[1-9])-[0-9-]+ [0-9:]+/now/'", "docker cp -a cc:/data/file - | tar xO",
                "docker cp cc:/a cc:/b", "docker cp a b", "docker cp - -", "docker cp nobody:/x y",
                // To a container that is stopped again, and to one that is paused.
                made + "docker kill cc; docker cp src cc:/stopped; docker cp cc:/stopped/a got; docker start cc; docker exec cc cat /stopped/a; docker pause cc; docker cp src cc:/paused;"
                        + " docker cp cc:/paused/sub/b got2; docker unpause cc; docker exec cc cat /paused/sub/b" + shown);
    }

    @Test void whatIsMountedIsSeenAndWrittenTo() throws IOException {
        Files.writeString(host.resolve("of-host"), "host\n");
        String mounts = " -v named:/volume -v named:/read-only:ro -v " + host + ":/bound -v " + host + ":/bound-ro:ro -v " + host + "/of-host:/data/file"
                + " --tmpfs /tmpfs --network none ";
        agreeOn("docker create --name never" + mounts + "files:it", "docker run -d --name runs" + mounts + "files:it", "docker exec runs sh -c 'echo x > /tmpfs/x; echo y > /volume/y'",
                "docker run --name ended" + mounts + "files:it true",
                "for c in never runs ended; do get $c /volume; get $c /read-only; get $c /bound-ro; stat $c /data/file | sed 's/\"mtime[^,]*,//'; get $c /tmpfs; get $c /proc; get $c /etc; done",
                "for c in never runs ended; do for p in /volume /volume/ /bound /read-only /bound-ro /bound-ro/. /tmpfs; do echo $c $p; put $c $p no-parents; done; done",
                "docker exec runs sh -c 'find /volume /bound /tmpfs | sort'", "put runs /data file-over-folder", "put never / nodes",
                "docker create --name ro --read-only -v named:/volume files:it",
                each("put ro PATH plain", "/", "/data", "/volume", "/volume/.", "/data/up"),
                "docker create --name part --mount type=bind,source=/nowhere/at/all,target=/x files:it; docker create --name made -v " + host + "/made:/made files:it; get made /made; docker diff made");
    }

    /// Docker takes away what lies below before it finds that out.
    @Test void whatIsMountedIsNotReplaced() throws IOException {
        Files.writeString(host.resolve("of-host"), "host\n");
        var docker = engines.ours.docker();
        try (var container = docker.background("--network", "none", "-v", host + "/of-host:/data/file", "-v", host + ":/data/folder", "files:it")) {
            String put = knowing("put " + container.id() + " /data ");
            assertEquals("{\"message\":\"Error processing tar file(exit status 1): unlinkat /data/folder: device or resource busy\"}\n500",
                    SideBySide.shell(engines.ours, put + "file-over-folder").succeeded().strip());
            assertEquals("{\"message\":\"Error processing tar file(exit status 1): unlinkat /data/file: device or resource busy\"}\n500",
                    SideBySide.shell(engines.ours, put + "plain").succeeded().strip());
            assertEquals("host", container.exec("cat", "/data/file").succeeded());
            assertEquals("host", container.exec("cat", "/data/folder/of-host").succeeded());
        }
    }

    @Test void copyingIsAnnounced() {
        engines.both("docker create --name cc --network none -v named:/volume files:it");
        agreeOn("since=$(date +%s.%N); get cc /volume >/dev/null; put cc /volume plain; stat cc /volume >/dev/null; get cc /nowhere;"
                + " docker events --since $since --until $(date +%s.%N) | cut -d' ' -f2-");
    }

    /// Not the host's, as Docker 20.10 has it: a later one sees it as we do.
    @Test void filesAreGivenToTheContainersOwnUser() {
        var docker = engines.ours.docker();
        docker.run("create", "--name", "web", "--user", "web", "--network", "none", "files:it").succeeded();
        Command.of("bash", "-c", SideBySide.names(engines.ours) + "tar -C " + tars + " -c empty.tar | docker cp -a - web:/data").run().succeeded();
        String listed = SideBySide.shell(engines.ours, knowing("get web /data/empty.tar")).succeeded();
        assertTrue(listed.contains("1234/1235"), listed);
    }

    @Test void aFullDiskLeavesNoHalfFile() {
        var engine = engines.ours;
        engine.docker().run("volume", "create", "-d", "local", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m", "small").succeeded();
        engine.docker().run("create", "--name", "cc", "--network", "none", "-v", "small:/small", "files:it").succeeded();
        // Another reader keeps the tmpfs: it goes with the last who uses it.
        engine.docker().run("run", "-d", "--name", "keeper", "--network", "none", "-v", "small:/small", "files:it").succeeded();
        String put = "d=$(mktemp -d); cd $d; echo 1 > a; truncate -s 2M b; head -c 2M /dev/urandom > c; tar c a c b | docker cp - cc:/small; cd /; rm -r $d";
        var outcome = SideBySide.shell(engine, put);
        assertTrue(outcome.err().contains("write /small/c: no space left on device"), outcome::toString);
        assertEquals("a", engine.docker().run("exec", "keeper", "ls", "/small").succeeded());
    }

    @Test void aClientThatLeavesLeavesNoHalfFile() {
        var engine = engines.ours;
        try (var container = engine.docker().background("--network", "none", "files:it")) {
            String half = """
                    d=$(mktemp -d); cd $d; echo 1 > a; head -c 3M /dev/urandom > b; tar cf all.tar a b
                    { printf 'PUT /v1.41/containers/%s/archive?path=/data HTTP/1.1\\r\\nHost: d\\r\\nContent-Length: %s\\r\\n\\r\\n'; head -c 1M all.tar; } | socat -u - UNIX-CONNECT:%s
                    cd /; rm -r $d""".formatted(container.id(), "$(stat -c %s all.tar)", engine.socket()).replace("Length: $", "Length: '$").replace("all.tar)\\r", "all.tar)'\\r");
            SideBySide.shell(engine, half);
            assertTrue(Engine.become(Duration.ofSeconds(30), () -> container.exec("ls", "/data/a").status() == 0
                    && container.exec("ls", "/data/b").status() != 0), () -> container.exec("ls", "-l", "/data").toString());
        }
    }

    @Test void aLargeFileFlowsThroughLittleMemory() {
        var engine = engines.ours;
        try (var container = engine.docker().background("--network", "none", "files:it", "sh", "-c", "truncate -s 200M /big; echo ready; exec sleep 1000")) {
            assertTrue(Engine.become(Duration.ofSeconds(30), () -> engine.docker().run("logs", container.id()).out().contains("ready")));
            String copied = SideBySide.shell(engine, "docker cp " + container.id() + ":/big - | docker cp - " + container.id() + ":/data").succeeded();
            assertEquals("", copied);
            assertEquals("209715200", container.exec("stat", "-c", "%s", "/data/big").succeeded());
        }
    }

    @Test void nothingIsLeftMounted() throws IOException {
        var engine = engines.ours;
        engine.docker().run("create", "--name", "cc", "--network", "none", "-v", "named:/volume", "files:it").succeeded();
        List<String> before = mounts(engine);
        for (String path : List.of("/volume", "/nowhere", "/data/file")) {
            SideBySide.shell(engine, knowing("get cc " + path + "; put cc " + path + " plain; put cc " + path + " cut"));
        }
        assertEquals(before, mounts(engine));
        String held = "ls -l /proc/PID/fd /proc/PID/task/*/ns/mnt | grep -o 'mnt:.*' | sort -u | wc -l".replace("PID", "" + engine.daemon().pid());
        assertEquals("1", Command.of("sh", "-c", held).run().succeeded(), "a mount namespace is held");
    }

    /// Those that the daemon sees in its own folders.
    private static List<String> mounts(Engine engine) throws IOException {
        String root = engine.data().getParent() + "/";
        try (var all = Files.lines(Path.of("/proc/" + engine.daemon().pid() + "/mountinfo"))) {
            return all.map(line -> line.split(" ")[4]).filter(point -> point.startsWith(root)).sorted().toList();
        }
    }
}
