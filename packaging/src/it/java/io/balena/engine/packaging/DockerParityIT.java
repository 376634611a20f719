package io.balena.engine.packaging;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// The same steps on our engine and on dockerd 20.10: the docker command line prints the same.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DockerParityIT {
    private SideBySide engines;
    private String tar;

    @BeforeAll void start() {
        BusyboxImage.assumePossible();
        engines = SideBySide.start();
        var folder = engines.ours.scratch();
        tar = folder.resolve("busybox.tar").toString();
        Command.of("bash", "-c", "cd " + BusyboxImage.tree(engines.ours) + "; mkdir etc/folder vol; echo 1 > etc/folder/a; echo x > etc/gone; tar -cf " + tar + " .")
                .run().succeeded();
    }

    @AfterAll void stop() {
        if (engines != null) engines.close();
    }

    @BeforeEach void empty() {
        for (var engine : new Engine[] {engines.ours, engines.theirs}) {
            SideBySide.shell(engine, "for i in $(docker ps -aq); do docker rm -f $i; done; docker rmi -f $(docker images -aq); docker rmi -f $(docker images -aq); true");
        }
        engines.both("docker import -c 'CMD [\"sh\"]' -c 'ENV A=1 B=2' -c 'LABEL l=1' -c 'EXPOSE 80' -c 'VOLUME /vol' " + tar + " base:1", "sleep 1.1");
    }

    private static final String CHANGE = "docker run --name work -h host -e C=3 --label m=2 --network none base:1 sh -c '"
            + "echo hi > /etc/new; rm /etc/gone; rm -r /etc/folder; mkdir /etc/folder; echo 2 > /etc/folder/b; ln /etc/new /etc/hard;"
            + " mknod /etc/dev c 1 3; mkfifo /etc/fifo; chown 1000:1000 /etc/fifo; chmod 4711 /etc/new; ln -s new /etc/link'";

    private static final String RUNNING = "docker run -d --name running --network none base:1 sleep 1000";

    @Test void whyAnExecCannotRunIsSaidInTheSameWords() {
        engines.agreeOn(RUNNING, "docker exec running nosuch", "docker exec -t running nosuch", "docker exec running /nosuch", "docker exec running no/such",
                "docker exec running /etc", "docker exec running etc", "docker exec running ''", "docker exec running /etc/gone",
                "docker exec running /bin/busybox/x", "docker exec -w /nosuch/x running true", "docker exec running ls /nosuch",
                "docker exec -w /bin/busybox running true", "docker exec -u nosuch running true", "docker exec -d running nosuch");
    }

    @Test void topShowsTheColumnsThatAreAskedFor() {
        String numbers = " | sed -E 's/[0-9]+/N/g'";
        engines.agreeOn(RUNNING, "docker top running -o pid,uid,args" + numbers, "docker top running -o uid,args", "docker top running -eo pid,comm" + numbers,
                "docker top running -e -o args,pid" + numbers, "docker top running -o nosuch" + " 2>&1 | tail -1");
    }

    @Test void aCommittedImageIsTheSame() {
        engines.agreeOn(CHANGE,
                "docker commit -a 'me <a@b>' -m 'a comment' -c 'CMD [\"cat\",\"/etc/new\"]' -c 'ENV B=5 D=4' -c 'ENTRYPOINT [\"x\"]' work two:1",
                "docker inspect two:1 | grep -v Dir", "docker history --no-trunc two:1", "docker history base:1",
                "docker run --rm --network none --entrypoint '' two:1 sh -c 'cat /etc/new /etc/folder/b; ls /etc/folder; test -e /etc/gone; echo $?; stat -c \"%n %a %F %u %h %t\" /etc/*'",
                "docker commit work", "docker images -a");
    }

    @Test void aCommitThatChangesNothingMakesNoLayer() {
        engines.agreeOn("docker create --name never -h host --network none base:1 true", "docker commit never same:1",
                "docker inspect same:1 | grep -v Dir", "docker history --no-trunc same:1", "docker rmi same:1", "docker images -a");
    }

    @Test void aCommitIsTheSameThroughTheApi() {
        engines.agreeOn("docker run -d --name running -h host --network none base:1 sleep 1000",
                "api '/commit?container=running' -X POST", "docker inspect -f '{{.State.Status}}' running",
                "api '/commit?container=running&repo=UP' -X POST", "api '/commit?container=running&repo=ok&tag=b%20ad' -X POST",
                "api '/commit?container=running&repo=ok:a&tag=x' -X POST", "api '/commit?container=nope&repo=z' -X POST",
                "api '/commit?repo=z' -X POST", "api '/commit?container=running&repo=z&changes=FROM%20x' -X POST",
                "api '/commit?container=running&repo=body&pause=0' -X POST -H 'Content-Type: application/json'"
                        + " -d '{\"Cmd\":[\"/bin/date\"],\"Env\":[\"Z=1\"],\"Labels\":{\"q\":\"r\"},\"User\":\"me\"}'",
                "docker inspect body -f '{{json .Config}}'", "docker inspect body -f '{{json .ContainerConfig}}'",
                "api '/commit?container=running&repo=nobody' -X POST -H 'Content-Type: application/json' -d null",
                "docker inspect nobody -f '{{json .Config}}'",
                "docker pause running", "docker commit running paused:1", "docker inspect -f '{{.State.Status}}' running",
                // Under a wrong name dockerd makes the image and does not say so; we make none.
                "docker images --filter dangling=false");
    }

    @Test void anExportHoldsTheSame() {
        engines.agreeOn(CHANGE, "docker export work | tar -tv --numeric-owner | sed -E 's/20[0-9]{2}-[0-9-]+ [0-9:]+//'",
                "docker run -d --name running -v /etc:/mnt/host:ro --tmpfs /t --network none base:1 sh -c 'echo 1 > /vol/f; echo 2 > /t/f; echo 3 > /f; sleep 1000'",
                "sleep 1; docker export running | tar -tv --numeric-owner | sed -E 's/20[0-9]{2}-[0-9-]+ [0-9:]+//'",
                "docker exec running cat /vol/f /t/f /f",
                "docker create --name never --network none base:1 true", "docker export never | tar -t | sort", "docker export nope",
                "docker export work | docker import - again:1", "docker run --rm --network none again:1 cat /etc/new /etc/folder/b");
    }

    @Test void importsSayTheSame() {
        engines.agreeOn("docker import -m message " + tar + " i:1", "docker inspect i:1 -f '{{.Comment}} {{.Os}} {{.Architecture}}'",
                "docker import --platform linux/arm64 " + tar + " i:2", "docker inspect i:2 -f '{{.Comment}} {{.Os}} {{.Architecture}}'",
                "docker import --platform windows " + tar + " i:3", "docker import http://127.0.0.1:1/x.tar i:3", "docker import ftp://127.0.0.1/x.tar i:3",
                "docker import " + tar + " UP", "docker history i:1", "docker images");
    }

    @Test void namesAreTakenAwayByTheSameRules() {
        layered();
        engines.agreeOn("docker tag base:1 base:2", "docker tag base:1 other/name:x", "docker tag nope x:y", "docker tag base:1 sha256:abc",
                "docker images", "docker images -a", "docker images --digests",
                "docker rmi nope", "docker rmi $(docker inspect -f '{{.Id}}' base:1)", "docker rmi -f $(docker inspect -f '{{.Id}}' base:1)",
                "docker rmi base:2", "docker rmi other/name:x", "docker rmi c:1", "docker images -a",
                "id=$(docker inspect -f '{{.Parent}}' d:1); docker rmi $id; docker rmi -f $id",
                "docker create --name stopped --network none e:1 true", "docker run -d --name running --network none d:1 sleep 1000",
                "docker rmi e:1", "docker rmi $(docker inspect -f '{{.Id}}' e:1)", "docker rmi d:1", "docker rmi -f d:1", "docker images -a",
                "docker ps -a --format '{{.Names}} {{.Image}}' | sort",
                "id=$(docker inspect -f '{{.Image}}' running); docker tag $id d:2; docker tag $id dd:2; docker rmi -f $id; docker rmi $id",
                "docker rmi d:2", "docker rmi -f dd:2", "docker images -a", "docker rmi -f e:1", "docker images -a",
                "docker ps -a --format '{{.Names}} {{.Image}}' | sort", "docker rm -f running stopped", "docker rmi $(docker images -q)", "docker images -a");
    }

    @Test void aNameGivenAnewLeavesADanglingImage() {
        engines.agreeOn("docker import " + tar + " q:1", "sleep 1.1", "docker import " + tar + " q:1", "docker tag q:1 q:2", "docker images",
                "docker images --filter dangling=true", "docker images --filter dangling=false", "docker rmi q:1 q:2", "docker rmi $(docker images -q)", "docker images");
    }

    @Test void imagesAreListedByTheSameFilters() {
        layered();
        engines.both("docker tag base:1 base:2", "docker tag base:1 other/name:x");
        String row = " --format '{{.Repository}}:{{.Tag}}'";
        engines.agreeOn("docker images base", "docker images --filter dangling=true", "docker images --filter 'reference=base:*'" + row,
                "docker images --filter 'reference=*/name'" + row, "docker images --filter 'reference=*:1'" + row, "docker images --filter label=l" + row,
                "docker images --filter label=l=2" + row, "docker images --filter before=c:1" + row, "docker images --filter since=c:1" + row,
                "docker images --filter before=e:1 --filter since=base:1" + row, "docker images --filter since=nope", "docker images --filter foo=bar",
                "docker images --filter dangling=maybe", "docker images -q --no-trunc");
    }

    @Test void digestsAreNamesToo() {
        try (var _ = Registry.start(engines.ours); var _ = Registry.start(engines.theirs)) {
            String small = Registry.HOST + "/it/small";
            engines.agreeOn("docker pull -q " + small + ":1", "docker images --digests", "docker tag " + small + ":1 local:1", "docker images --digests",
                    "docker inspect local:1 -f '{{json .RepoTags}} {{json .RepoDigests}}'", "docker rmi " + small + ":1", "docker images --digests",
                    "docker inspect local:1 -f '{{json .RepoTags}} {{json .RepoDigests}}'", "docker pull -q " + small + ":1", "docker rmi local:1",
                    "docker rmi $(docker inspect " + small + ":1 -f '{{index .RepoDigests 0}}')", "docker images --digests", "docker rmi " + small + ":1",
                    "docker images --digests", "d=$(docker pull -q " + small + ":1); docker inspect $d -f '{{index .RepoDigests 0}}'",
                    "docker images --filter dangling=true --digests", "docker rmi " + small + ":1");
        }
    }

    @Test void diskUsageIsTheSame() {
        layered();
        engines.both("docker create --name stopped --network none e:1 true", "docker run -d --name running --network none d:1 sh -c 'echo 12345 > /f; sleep 1000'",
                "sleep 0.5", "docker tag base:1 base:2");
        engines.agreeOn("docker system df | grep -v Volumes",
                "api /system/df | jq -cS '{LayersSize, Images: [.Images[]|{RepoTags,RepoDigests,Size,SharedSize,VirtualSize,Containers}]|sort,"
                        + " Containers: [.Containers[]|{Names,SizeRw,SizeRootFs}]|sort, BuildCache, BuilderSize}'",
                "docker ps -as --format '{{.Names}} {{.Size}}' | sort", "docker inspect -s running -f '{{.SizeRw}} {{.SizeRootFs}}'",
                "docker rmi -f e:1", "docker ps -as --format '{{.Names}} {{.Size}}' | sort",
                "docker inspect -s stopped -f '{{.SizeRw}} {{.SizeRootFs}}'");
    }

    @Test void pruningIsTheSame() {
        layered();
        engines.both("docker tag e:1 kept:1", "docker rmi c:1 d:1", "docker create --name stopped --network none e:1 true");
        engines.both("docker import " + tar + " q:1", "sleep 1.1", "docker import -c 'LABEL mine=1' " + tar + " q:1", "docker import " + tar + " q:1");
        engines.agreeOn("docker images -a", "docker image prune -f --filter label=nope", "docker image prune -f --filter until=1h",
                "docker image prune -f --filter label=mine=1", "docker image prune -f", "docker images -a",
                "docker image prune -f --filter foo=x", "api '/images/prune?filters=%7B%22dangling%22%3A%5B%22x%22%5D%7D' -X POST",
                "docker image prune -af --filter 'label!=l'", "docker images -a", "docker builder prune -f", "api /build/prune -X POST",
                "docker rm stopped", "docker image prune -af", "docker images -a");
    }

    /// base:1 ◀ c:1 ◀ d:1, and base:1 ◀ e:1.
    private void layered() {
        for (var pair : new String[] {"base:1 c:1", "c:1 d:1", "base:1 e:1"}) {
            String[] names = pair.split(" ");
            engines.both("docker run --name step --network none " + names[0] + " sh -c 'echo " + pair + " > /f-" + names[1].charAt(0) + "'",
                    "docker commit step " + names[1], "docker rm step", "sleep 1.1");
        }
    }
}
