package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// Every endpoint, asked rightly and wrongly in the oldest version, in Docker 20.10's and in newer ones: up to 1.41 our answers are
/// dockerd's, field by field.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class EndpointsIT {
    private static final List<String> SHARED = List.of("1.24", "1.41");
    private static final List<String> NEWER = List.of("1.44", "1.51");

    private SideBySide engines;

    @BeforeAll void start() {
        BusyboxImage.assumePossible();
        engines = SideBySide.start();
        BusyboxImage.importInto(engines.ours);
        BusyboxImage.importInto(engines.theirs);
    }

    @AfterAll void stop() {
        if (engines != null) engines.close();
    }

    @Test void containersAreMadeListedAndRemoved() throws IOException {
        agree("""
                201 POST /containers/create?name=plain {"Image":"busybox:it","HostConfig":{"NetworkMode":"none"}}
                200 GET /containers/plain/json
                201 POST /containers/create?name=full {"Hostname":"h","Domainname":"d","User":"web","AttachStdin":true,"AttachStdout":true,"AttachStderr":true,"ExposedPorts":{"80/tcp":{},"53/udp":{}},"Tty":true,"OpenStdin":true,"StdinOnce":true,"Env":["A=1","B="],"Cmd":["sleep","1000"],"Healthcheck":{"Test":["CMD","true"],"Interval":3600000000000,"Timeout":2000000,"StartPeriod":1000000,"Retries":3},"ArgsEscaped":true,"Image":"busybox:it","Volumes":{"/v":{}},"WorkingDir":"/tmp","Entrypoint":[],"OnBuild":[],"Labels":{"z":"1","a":"2"},"StopSignal":"SIGINT","StopTimeout":3,"Shell":["/bin/sh"],"Unknown":[1],"HostConfig":{"Binds":["/tmp:/t:ro"],"NetworkMode":"none","PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]},"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":2},"VolumesFrom":[],"CapAdd":["NET_ADMIN"],"CapDrop":["MKNOD"],"Dns":["1.1.1.1"],"DnsOptions":["ndots:1"],"DnsSearch":["x"],"ExtraHosts":["a:1.2.3.4"],"GroupAdd":["extra"],"IpcMode":"shareable","OomScoreAdj":5,"PidMode":"host","ReadonlyRootfs":true,"SecurityOpt":["no-new-privileges"],"Tmpfs":{"/run":"size=1m"},"UTSMode":"","ShmSize":1048576,"Sysctls":{},"CpuShares":100,"Memory":33554432,"NanoCpus":500000000,"CpusetCpus":"0","Devices":[{"PathOnHost":"/dev/null","PathInContainer":"/dev/nix","CgroupPermissions":"r"}],"DeviceCgroupRules":["c 1:3 r"],"PidsLimit":50,"Ulimits":[{"Name":"nofile","Hard":200,"Soft":100}],"LogConfig":{"Type":"json-file","Config":{"max-size":"1m"}},"MaskedPaths":["/proc/kcore"],"ReadonlyPaths":[],"Init":true}}
                200 GET /containers/full/json
                200 GET /containers/full/json?size=1
                200 GET /containers/json
                200 GET /containers/json?all=1&size=1
                200 GET /containers/json?limit=1
                200 GET /containers/json?all=1&filters={"name":["^/full$"]}
                200 GET /containers/json?all=1&filters={"label":["z=1"]}
                200 GET /containers/json?all=1&filters={"status":["created"],"ancestor":["busybox:it"]}
                200 GET /containers/json?all=1&filters={"before":["full"]}
                200 GET /containers/json?all=1&filters={"since":["plain"]}
                200 GET /containers/json?all=1&filters={"volume":["/v"]}
                200 GET /containers/json?all=1&filters={"expose":["53/udp"]}
                200 GET /containers/json?all=1&filters={"expose":["50-60/udp"]}
                200 GET /containers/json?all=1&filters={"network":["none"]}
                200 GET /containers/json?all=1&filters={"isolation":["default"]}
                200 GET /containers/json?all=1&filters={"is-task":["true"]}
                200 GET /containers/json?all=1&filters={"exited":["0"]}
                200 GET /containers/json?all=1&filters={"health":["none"]}
                400 GET /containers/json?filters={"nonsense":["1"]}
                400 GET /containers/json?filters={"status":["nonsense"]}
                400 GET /containers/json?filters={"exited":["x"]}
                404 GET /containers/json?filters={"before":["nobody"]}
                400 GET /containers/json?limit=x
                404 GET /containers/nobody/json
                404 POST /containers/create {"Image":"nothere:1"}
                400 POST /containers/create {}
                400 POST /containers/create?name=a$b {"Image":"busybox:it"}
                409 POST /containers/create?name=full {"Image":"busybox:it","HostConfig":{"NetworkMode":"none"}}
                400 POST /containers/create {"Image":"busybox:it","Env":["=x"]}
                400 POST /containers/create {"Image":"busybox:it","HostConfig":{"Memory":1}}
                400 POST /containers/create {"Image":"busybox:it","HostConfig":{"RestartPolicy":{"Name":"sometimes"}}}
                204 POST /containers/plain/rename?name=renamed
                404 POST /containers/nobody/rename?name=x
                409 POST /containers/renamed/rename?name=full
                400 POST /containers/renamed/rename?name=renamed
                400 POST /containers/renamed/rename
                200 POST /containers/full/update {"CpuShares":200,"RestartPolicy":{"Name":"no"}}
                404 POST /containers/nobody/update {}
                400 POST /containers/full/update {"Memory":1}
                200 GET /containers/full/changes
                404 GET /containers/nobody/changes
                200 GET /containers/full/export
                404 GET /containers/nobody/export
                204 DELETE /containers/renamed
                404 DELETE /containers/renamed
                204 DELETE /containers/full?v=1&force=1
                """);
    }

    @Test void containersRunAndEnd() throws IOException {
        agree("""
                201 POST /containers/create?name=run {"Image":"busybox:it","Cmd":["sh","-c","echo out; echo err >&2; trap 'exit 3' TERM; while true; do sleep 0.05; done"],"Hostname":"h","HostConfig":{"NetworkMode":"none"}}
                200 POST /containers/run/attach?stream=0&logs=1&stdout=1
                404 POST /containers/nobody/attach
                404 GET /containers/nobody/attach/ws
                409 GET /containers/run/top
                409 POST /containers/run/kill
                409 POST /containers/run/pause
                500 POST /containers/run/unpause
                409 POST /containers/run/resize?h=1&w=1
                200 GET /containers/run/stats?stream=0
                204 POST /containers/run/start
                304 POST /containers/run/start
                404 POST /containers/nobody/start
                200 GET /containers/run/json
                200 GET /containers/json
                200 GET /containers/run/top
                200 GET /containers/run/top?ps_args=-o%20pid,comm
                404 GET /containers/nobody/top
                200 GET /containers/run/stats?stream=0
                404 GET /containers/nobody/stats?stream=0
                200 GET /containers/run/logs?stdout=1&stderr=1
                400 GET /containers/run/logs
                404 GET /containers/nobody/logs?stdout=1
                400 GET /containers/run/logs?stdout=1&since=x
                200 POST /containers/run/resize?h=10&w=20
                404 POST /containers/nobody/resize?h=10&w=20
                400 POST /containers/run/resize?h=x&w=20
                204 POST /containers/run/pause
                409 POST /containers/run/pause
                200 GET /containers/run/json
                404 POST /containers/nobody/pause
                409 POST /containers/run/start
                204 POST /containers/run/unpause
                500 POST /containers/run/unpause
                404 POST /containers/nobody/unpause
                409 DELETE /containers/run
                204 POST /containers/run/restart?t=5
                404 POST /containers/nobody/restart
                204 POST /containers/run/kill?signal=HUP
                404 POST /containers/nobody/kill
                400 POST /containers/run/kill?signal=NOSUCH
                404 POST /containers/nobody/wait
                204 POST /containers/run/stop?t=5
                304 POST /containers/run/stop
                404 POST /containers/nobody/stop
                200 POST /containers/run/wait
                200 GET /containers/run/json
                200 GET /containers/json?all=1&filters={"exited":["0","3","137"]}
                200 GET /containers/run/changes
                201 POST /commit?container=run&repo=made&tag=1&comment=c&author=a {"Cmd":["true"]}
                404 POST /commit?container=nobody
                200 GET /images/made:1/json
                200 GET /images/made:1/history
                200 DELETE /images/made:1
                200 POST /containers/prune?filters={"label":["no"]}
                400 POST /containers/prune?filters={"nonsense":["x"]}
                200 POST /containers/prune
                404 DELETE /containers/run
                """);
    }

    @Test void furtherProgramsRun() throws IOException {
        agree("""
                201 POST /containers/create?name=host {"Image":"busybox:it","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"none"}}
                409 POST /containers/host/exec {"Cmd":["true"]}
                204 POST /containers/host/start
                exec = 201 POST /containers/host/exec {"AttachStdout":true,"Cmd":["sh","-c","exit 7"],"User":"web","Env":["A=b"],"WorkingDir":"/tmp","DetachKeys":"ctrl-x"}
                200 GET /exec/${exec}/json
                200 POST /exec/${exec}/start {}
                200 GET /exec/${exec}/json
                404 POST /containers/nobody/exec {"Cmd":["true"]}
                400 POST /containers/host/exec {}
                400 POST /containers/host/exec {"Cmd":[]}
                404 GET /exec/nobody/json
                404 POST /exec/nobody/start {}
                404 POST /exec/nobody/resize?h=1&w=1
                long = 201 POST /containers/host/exec {"Tty":true,"Cmd":["sleep","1000"]}
                200 POST /exec/${long}/start {"Detach":true,"Tty":true}
                200 POST /exec/${long}/resize?h=10&w=20
                400 POST /exec/${long}/resize?h=x&w=20
                200 GET /exec/${long}/json
                200 GET /containers/host/json
                204 DELETE /containers/host?force=1
                404 GET /exec/${long}/json
                """);
    }

    @Test void imagesAreListedNamedAndRemoved() throws IOException {
        agree("""
                200 GET /images/json
                200 GET /images/json?all=1&digests=1&filters={"reference":["busy*"]}
                400 GET /images/json?filters={"nonsense":["1"]}
                200 GET /images/busybox:it/json
                404 GET /images/nothere:1/json
                200 GET /images/busybox:it/history
                404 GET /images/nothere:1/history
                201 POST /images/busybox:it/tag?repo=other/name&tag=2
                404 POST /images/nothere:1/tag?repo=other/name
                400 POST /images/busybox:it/tag?repo=UPPER
                200 GET /images/other/name:2/json
                200 GET /images/busybox:it/get
                404 GET /images/nothere:1/get
                200 GET /images/get?names=busybox:it&names=other/name:2
                404 GET /images/get?names=nothere:1
                200 DELETE /images/other/name:2
                404 DELETE /images/other/name:2
                400 POST /images/create?fromImage=127.0.0.1:1/UPPER
                400 POST /images/nothere/push
                200 POST /images/prune
                400 POST /images/prune?filters={"nonsense":["1"]}
                500 GET /distribution/127.0.0.1:1/x/json
                400 GET /images/search?term=x&limit=1000
                500 GET /images/search?term=127.0.0.1:1/x
                """);
    }

    @Test void theEngineTellsOfItself() throws IOException {
        agree("""
                200 GET /_ping
                200 HEAD /_ping
                200 GET /version
                200 GET /info
                200 GET /system/df
                200 GET /events?since=1&until=2
                400 GET /events?since=3&until=2
                400 GET /events?since=x
                400 GET /events?filters=[
                500 POST /auth {"username":"u","password":"p","serveraddress":"127.0.0.1:1"}
                400 POST /auth
                404 GET /nonsense
                404 POST /containers/json
                200 POST /build/prune
                400 POST /session
                400 POST /grpc
                """);
    }

    @Test void swarmsArePolitelyDeclined() throws IOException {
        agree("""
                503 GET /swarm
                503 GET /nodes
                503 GET /nodes/x
                503 DELETE /nodes/x
                503 POST /nodes/x/update?version=1 {}
                503 GET /services
                503 POST /services/create {}
                503 GET /services/x
                503 POST /services/x/update?version=1 {}
                503 DELETE /services/x
                503 GET /services/x/logs?stdout=1
                503 GET /tasks
                503 GET /tasks/x
                503 GET /tasks/x/logs?stdout=1
                503 GET /secrets
                503 POST /secrets/create {}
                503 GET /secrets/x
                503 POST /secrets/x/update?version=1 {}
                503 DELETE /secrets/x
                503 GET /configs
                503 POST /configs/create {}
                503 GET /configs/x
                503 POST /configs/x/update?version=1 {}
                503 DELETE /configs/x
                503 POST /swarm/update?version=1 {}
                503 GET /swarm/unlockkey
                503 POST /swarm/leave
                """);
    }

    @Test void pluginsThereAreNone() throws IOException {
        agree("""
                200 GET /plugins
                404 GET /plugins/x/json
                404 DELETE /plugins/x
                404 POST /plugins/x/enable?timeout=1
                404 POST /plugins/x/disable
                """);
    }

    /// In versions that dockerd speaks, our answers have its statuses, its words where something is wrong, and its fields; in newer
    /// ones, the statuses are the same still.
    private void agree(String script) throws IOException {
        var steps = ApiScript.of(script);
        var differences = new LinkedHashMap<String, List<String>>();
        for (String version : SHARED) {
            var theirs = steps.run(new Api(engines.theirs.socket(), version));
            var ours = steps.run(new Api(engines.ours.socket(), version));
            for (int i = 0; i < theirs.size(); i++) note(differences, version, difference(ours.get(i), theirs.get(i)));
        }
        for (String version : NEWER) {
            for (var answered : steps.run(new Api(engines.ours.socket(), version))) note(differences, version, unexpected("ours", answered));
        }
        assertEquals("", differences.entrySet().stream().map(each -> each.getValue() + " " + each.getKey()).collect(Collectors.joining()));
    }

    private static void note(Map<String, List<String>> differences, String version, String difference) {
        if (!difference.isEmpty()) differences.computeIfAbsent(difference, _ -> new ArrayList<>()).add(version);
    }

    private static String difference(ApiScript.Answered ours, ApiScript.Answered theirs) {
        String statuses = unexpected("dockerd", theirs) + unexpected("ours", ours);
        boolean answeredBetter = unexpected("ours", ours).isEmpty() && EndpointDifferences.STATUSES.contains(ours.step().line());
        if (!statuses.isEmpty()) return answeredBetter ? "" : statuses;
        if (ours.json().isEmpty() || theirs.json().isEmpty()) return "";
        boolean failure = ours.answer().status() >= 400;
        String found = failure ? words(ours.step(), ours.json().get(), theirs.json().get())
                : JsonDifference.of(Kinds.of(ours.json().get()), Kinds.of(theirs.json().get()), EndpointDifferences.FIELDS);
        return found.isEmpty() ? "" : ours.step().line() + "\n" + found.indent(4);
    }

    private static String words(ApiScript.Step step, JsonNode ours, JsonNode theirs) {
        if (EndpointDifferences.WORDS.contains(step.line())) return "";
        return JsonDifference.of(normalised(ours), normalised(theirs), List.of());
    }

    private static String unexpected(String who, ApiScript.Answered answered) {
        if (answered.answer().status() == answered.step().status()) return "";
        String body = answered.answer().body();
        return answered.step().line() + "\n    " + who + ": " + answered.answer().status() + " "
                + body.substring(0, Math.min(200, body.length())).strip() + "\n";
    }

    private static JsonNode normalised(JsonNode json) {
        try {
            return new ObjectMapper().readTree(json.toString().replaceAll("[0-9a-f]{64}", "ID").replaceAll("/tmp/balena-it-[0-9-]+", "ROOT"));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
