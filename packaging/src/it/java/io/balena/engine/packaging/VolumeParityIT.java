package io.balena.engine.packaging;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// Volumes beside dockerd 20.10: the same commands, the same answers.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class VolumeParityIT {
    private static final String RUN = "docker run --pull never --rm --network none ";
    private static final String CREATE = "docker create --pull never --network none ";

    /// Those without a name of their own come anywhere among the others.
    private static final String LIST = "docker volume ls -q | sed -E 's/^[0-9a-f]{64}$/anonymous/' | sort";

    private SideBySide engines;

    @BeforeAll void start() {
        BusyboxImage.assumePossible();
        engines = SideBySide.start();
        engines.both("cd " + BusyboxImage.tree(engines.ours) + "; mkdir -p vol/sub real; echo 1 > vol/a; ln vol/a vol/b; chown -R 12:13 vol;"
                + " ln -s /real link; tar -c . | docker import -c 'CMD [\"sh\"]' - base:1");
    }

    @AfterAll void stop() {
        if (engines != null) engines.close();
    }

    @AfterEach void forget() {
        engines.both("docker ps -aq | while read id; do docker rm -fv $id; done; docker volume ls -q | while read name; do docker volume rm $name; done");
    }

    @Test void volumesAreMadeAndShownTheSame() {
        engines.agreeOn("docker volume create", "docker volume create a", "docker volume create aa", "docker volume create aa", "docker volume create a/b",
                "docker volume create -d foo bb", "docker volume create -d local bb", "docker volume create -d foo aa",
                "docker volume create --label a=b --label c=d cc", "docker volume create --label a=x cc", "docker volume inspect cc",
                "docker volume inspect aa nope", "docker volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,uid=5 dd",
                "docker volume create -o type=nfs -o device=:/x -o o=addr=127.0.0.1,rw ee", "docker volume inspect dd ee",
                "docker volume create -o foo=bar zz", "docker volume create -o type=tmpfs zz", "docker volume create -o device=tmpfs zz",
                "docker volume create -o size=1m zz", "docker volume create -o device= -o type= zz",
                api("{\"Name\":\"ff\",\"Labels\":{},\"DriverOpts\":{}}"), api("{\"Name\":1}"), api("{\"Name\":\"hh\",\"Labels\":{\"a\":1}}"),
                api("{\"Name\":\"..\"}"), api("{\"Name\":\"-x\"}"), api("{\"Name\":\"metadata.db\"}"), api("{\"Name\":\"ii\",\"ClusterVolumeSpec\":{}}"),
                LIST, "docker volume rm nope", "docker volume rm -f nope", "docker volume rm aa bb", LIST);
    }

    private static String api(String body) {
        return "api /volumes/create -X POST -H 'Content-Type: application/json' -d '" + body + "'";
    }

    @Test void volumesAreListedAndPrunedByTheSameFilters() {
        engines.both("docker volume create --label a=b --label c=d cc", "docker volume create bb", CREATE + "-v used:/x --name holder base:1 true");
        String list = "docker volume ls -q --filter ";
        engines.agreeOn(list + "dangling=true", list + "dangling=false", list + "dangling=x", list + "name=c", list + "name=^c", list + "label=a",
                list + "label=a=b", list + "label=a=x", list + "label=a --filter label=c", list + "driver=local", list + "driver=foo", list + "nope=foo",
                "api '/volumes/prune?filters=%7B%22all%22%3A%5B%22true%22%5D%7D' -X POST", "docker volume prune -f --filter label=q",
                "docker volume prune -f --filter label!=a", "docker volume prune -f", LIST);
    }

    @Test void whatIsAskedForWronglyIsRefusedInTheSameWords() {
        engines.both("docker volume create xx");
        engines.agreeOn(RUN + "-v /a:b base:1 true", RUN + "-v a/b:/c base:1 true", RUN + "-v ./a:/c base:1 true", RUN + "-v /:/ base:1 true",
                RUN + "-v xx:/ base:1 true", RUN + "-v xx:/a:ro:rw base:1 true", RUN + "-v xx:/a:foo base:1 true", RUN + "-v xx:/a:ro,rw base:1 true",
                RUN + "-v xx:/a:nocopy,ro base:1 true", RUN + "-v /tmp:/a:nocopy base:1 true", RUN + "-v xx:/a -v xx:/a/ base:1 true",
                RUN + "-v xx:/a --tmpfs /a base:1 true", RUN + "-v xx:/a --mount type=volume,src=xx,dst=/a base:1 true",
                RUN + "--mount type=bind,src=/nope,dst=/a base:1 true", RUN + "--mount type=volume,dst=a base:1 true",
                RUN + "--mount type=volume,src=x,dst=/a base:1 true", RUN + "--mount type=volume,src=/x,dst=/a base:1 true",
                RUN + "--mount type=tmpfs,src=x,dst=/a base:1 true", RUN + "--mount type=tmpfs,dst=/ base:1 true",
                RUN + "--mount type=volume,src=xx,dst=/a,volume-driver=foo base:1 true", RUN + "--volume-driver foo -v /vol base:1 true",
                RUN + "-v nn:/etc/passwd base:1 true 2>&1 | sed 's#ROOT.*/etc#X#; s#/tmp.*/etc#X#'", RUN + "--volumes-from nobody base:1 true",
                mounts("{\"Type\":\"bind\",\"Source\":\"/tmp\",\"Target\":\"/a\",\"VolumeOptions\":{}}"),
                mounts("{\"Type\":\"volume\",\"Source\":\"xx\",\"Target\":\"/a\",\"BindOptions\":{}}"),
                mounts("{\"Type\":\"tmpfs\",\"Target\":\"/a\",\"BindOptions\":{}}"), mounts("{\"Type\":\"npipe\",\"Source\":\"x\",\"Target\":\"/a\"}"),
                mounts("{\"Type\":\"image\",\"Source\":\"base:1\",\"Target\":\"/a\"}"), "docker ps -aq");
    }

    private static String mounts(String mount) {
        return "api /containers/create -X POST -H 'Content-Type: application/json' -d '{\"Image\":\"base:1\",\"Cmd\":[\"true\"],\"HostConfig\":{\"Mounts\":["
                + mount + "]}}'";
    }

    @Test void volumesOfOthersAreTheSame() {
        String show = "for c in $(docker ps -a --format '{{.Names}}' | sort); do docker inspect -f '{{json .Mounts}}' $c | jq -cS 'sort_by(.Destination)[]';"
                + " docker inspect -f '{{json .HostConfig.VolumesFrom}} {{json .Config.Volumes}}' $c; done";
        engines.agreeOn(CREATE + "--name d1 -v data:/data -v /anon -v /etc:/host:ro,rslave base:1 true", CREATE + "--name d2 --volumes-from d1:ro base:1 true",
                CREATE + "--name d3 --volumes-from d2 -v other:/data base:1 true", CREATE + "--name d4 --volumes-from d2:rw --volumes-from d3 base:1 true",
                CREATE + "--name d5 --volumes-from d1:ro,z base:1 true", CREATE + "--name d6 --volumes-from d1:foo base:1 true",
                CREATE + "--name d6 --volumes-from d1:nocopy base:1 true", CREATE + "--name d6 --volumes-from d1:rslave base:1 true", show,
                "docker ps -a --filter volume=data --format '{{.Names}}' | sort", "docker ps -a --filter volume=/data --format '{{.Names}}' | sort",
                "docker ps -a --filter volume=/etc --format '{{.Names}}' | sort", "docker rm -v d1", "docker volume ls -q | wc -l", "docker start d2 d3 d4",
                "docker rm -v d2 d3 d4 d5", LIST);
    }

    @Test void volumesInUseStayAndThoseWithoutANameGo() {
        engines.agreeOn("docker run --pull never -d --name r1 --network none -v data:/data base:1 sleep 1000", "docker volume rm data", "docker volume rm -f data",
                RUN + "--volumes-from r1 base:1 sh -c 'echo x > /data/x'", "docker exec r1 cat /data/x", "docker rm -fv r1", "docker volume rm data",
                "docker run --pull never --network none --name k1 -v kept:/k -v /anon base:1 true", "docker rm k1", "docker volume ls -q | grep -c .",
                "docker volume rm kept", "docker volume prune -f | grep -c .", RUN + "-v /anon -v named:/n base:1 true", LIST);
    }

    @Test void whatTheImageHasIsCopiedTheSame() {
        String show = "find /vol -exec stat -c '%n %F %a %u:%g %h' {} + | sort";
        engines.agreeOn(RUN + "-v vv:/vol base:1 sh -c \"" + show + "\"", RUN + "-v ww:/vol:nocopy base:1 sh -c \"" + show + "\"",
                RUN + "-v ww:/vol base:1 sh -c \"" + show + "\"", RUN + "--mount type=volume,src=xx,dst=/vol,volume-nocopy base:1 sh -c \"" + show + "\"",
                RUN + "-v sub:/vol/sub -v all:/vol base:1 sh -c \"" + show + "\"", RUN + "-v new:/new/path base:1 stat -c '%a %u %g' /new /new/path",
                RUN + "-v linked:/link base:1 sh -c 'grep -c \" /real \" /proc/self/mountinfo'",
                RUN + "--mount type=volume,src=yy,dst=/vol,volume-label=a=b,volume-opt=type=tmpfs,volume-opt=device=tmpfs,volume-driver=local base:1 sh -c \"" + show + "\"",
                "docker volume inspect vv yy", "docker volume create -o type=tmpfs -o device=tmpfs -o o=nonsense=1 bad", RUN + "-v bad:/m base:1 true",
                "docker volume create -o device= -o type=tmpfs empty", RUN + "-v empty:/m base:1 true");
    }

    @Test void listenersHearTheSame() {
        // What is there already is "created" again for dockerd's listeners.
        engines.agreeOn("since=$(date +%s.%N); docker run --pull never --network none --rm -v told:/data:ro -v /anon base:1 true; docker volume rm told;"
                + " docker volume create gone; docker volume prune -f; docker events --since $since --until $(date +%s.%N) --filter type=volume"
                + " --format '{{.Action}} {{.Actor.ID}} {{json .Actor.Attributes}}' | sort");
    }
}
