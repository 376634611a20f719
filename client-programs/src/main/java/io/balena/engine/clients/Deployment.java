package io.balena.engine.clients;

import com.github.dockerjava.api.DockerClient;
import com.github.dockerjava.api.async.ResultCallback;
import com.github.dockerjava.api.command.WaitContainerResultCallback;
import com.github.dockerjava.api.exception.ConflictException;
import com.github.dockerjava.api.exception.NotFoundException;
import com.github.dockerjava.api.exception.NotModifiedException;
import com.github.dockerjava.api.model.Bind;
import com.github.dockerjava.api.model.Event;
import com.github.dockerjava.api.model.ExposedPort;
import com.github.dockerjava.api.model.Frame;
import com.github.dockerjava.api.model.HostConfig;
import com.github.dockerjava.api.model.PortBinding;
import com.github.dockerjava.api.model.RestartPolicy;
import com.github.dockerjava.api.model.Statistics;
import com.github.dockerjava.api.model.StreamType;
import com.github.dockerjava.api.model.Volume;
import com.github.dockerjava.core.DefaultDockerClientConfig;
import com.github.dockerjava.core.DockerClientImpl;
import com.github.dockerjava.core.InvocationBuilder.AsyncResultCallback;
import com.github.dockerjava.httpclient5.ApacheDockerHttpClient;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/// A deployment with docker-java, over a unix socket and Apache's HTTP client: `Deployment SOCKET IMAGE`.
final class Deployment {
    private static final String NAME = "docker-java";

    private final DockerClient docker;
    private final String image;
    private final BlockingQueue<String> events = new LinkedBlockingQueue<>();

    private Deployment(DockerClient docker, String image) {
        this.docker = docker;
        this.image = image;
    }

    public static void main(String[] arguments) throws Exception {
        var config = DefaultDockerClientConfig.createDefaultConfigBuilder().withDockerHost("unix://" + arguments[0]).build();
        try (var http = new ApacheDockerHttpClient.Builder().dockerHost(URI.create("unix://" + arguments[0])).maxConnections(20).build();
                var docker = DockerClientImpl.getInstance(config, http)) {
            new Deployment(docker, arguments[1]).run();
        }
        System.out.println("done");
        System.exit(0); // its threads are in no hurry
    }

    private void run() throws Exception {
        docker.pingCmd().exec();
        Check.same("linux", docker.versionCmd().exec().getOperatingSystem());
        Check.same("overlay2", docker.infoCmd().exec().getDriver());
        try {
            docker.inspectContainerCmd("nobody").exec();
            throw new AssertionError("found nobody");
        } catch (NotFoundException e) {
            Check.that(e.getMessage().contains("No such container: nobody"), e.getMessage());
        }
        try (var listening = docker.eventsCmd().withEventTypeFilter(com.github.dockerjava.api.model.EventType.CONTAINER).exec(new ResultCallback.Adapter<Event>() {
            @Override
            public void onNext(Event event) {
                events.add(event.getAction() + " " + event.getActor().getAttributes().get("name"));
            }
        })) {
            deploy();
            for (String expected : List.of("create", "start", "die", "destroy")) await(expected + " " + NAME);
        }
    }

    private void await(String event) throws InterruptedException {
        for (String seen; !event.equals(seen = events.poll(30, TimeUnit.SECONDS)); ) Check.that(seen != null, "no event " + event);
    }

    private void deploy() throws Exception {
        docker.createVolumeCmd().withName(NAME).withLabels(Map.of("by", NAME)).exec();
        Check.same(1, docker.listVolumesCmd().withFilter("label", List.of("by=" + NAME)).exec().getVolumes().size());
        var port = ExposedPort.tcp(80);
        String id = docker.createContainerCmd(image).withName(NAME).withCmd("sh", "-c", "echo up; echo err >&2; exec httpd -f -p 80 -h /etc").withLabels(Map.of("by", NAME))
                .withEnv("A=b").withExposedPorts(port).withHostConfig(HostConfig.newHostConfig().withMemory(64L << 20).withRestartPolicy(RestartPolicy.onFailureRestart(2))
                        .withBinds(new Bind(NAME, new Volume("/kept"))).withPortBindings(new PortBinding(com.github.dockerjava.api.model.Ports.Binding.bindIp("127.0.0.1"), port)))
                .exec().getId();
        docker.startContainerCmd(id).exec();
        try {
            docker.startContainerCmd(id).exec();
            throw new AssertionError("started twice");
        } catch (NotModifiedException e) {
            // as it is to be
        }
        var facts = docker.inspectContainerCmd(id).exec();
        Check.same(64L << 20, facts.getHostConfig().getMemory());
        Check.that(Integer.parseInt(facts.getNetworkSettings().getPorts().getBindings().get(port)[0].getHostPortSpec()) > 0, facts.getNetworkSettings().getPorts());
        Check.same(List.of(id), docker.listContainersCmd().withLabelFilter(Map.of("by", NAME)).exec().stream().map(c -> c.getId()).toList());
        logs(id);
        Check.same("typed\n", execute(id));
        files(id);
        var statistics = docker.statsCmd(id).withNoStream(true).exec(new AsyncResultCallback<Statistics>());
        Check.same(64L << 20, statistics.awaitResult().getMemoryStats().getLimit());
        Check.that(docker.topContainerCmd(id).exec().getProcesses().length > 0, "no processes");
        image(id);
        end(id);
    }

    private void logs(String id) throws InterruptedException {
        var out = new LinkedBlockingQueue<Frame>();
        docker.logContainerCmd(id).withStdOut(true).withStdErr(true).withFollowStream(true).exec(new ResultCallback.Adapter<Frame>() {
            @Override
            public void onNext(Frame frame) {
                out.add(frame);
            }
        });
        var both = List.of(out.take(), out.take());
        Check.that(both.stream().anyMatch(f -> f.getStreamType() == StreamType.STDOUT && text(f).equals("up\n")), both);
        Check.that(both.stream().anyMatch(f -> f.getStreamType() == StreamType.STDERR && text(f).equals("err\n")), both);
    }

    private static String text(Frame frame) {
        return new String(frame.getPayload(), StandardCharsets.UTF_8);
    }

    /// Types into a command, over a connection that is no HTTP any more.
    private String execute(String id) throws InterruptedException {
        String exec = docker.execCreateCmd(id).withCmd("sh", "-c", "read line; echo $line; exit 4").withAttachStdin(true).withAttachStdout(true).withAttachStderr(true).exec().getId();
        var said = new StringBuilder();
        docker.execStartCmd(exec).withStdIn(new ByteArrayInputStream("typed\n".getBytes(StandardCharsets.UTF_8))).exec(new ResultCallback.Adapter<Frame>() {
            @Override
            public void onNext(Frame frame) {
                said.append(text(frame));
            }
        }).awaitCompletion(30, TimeUnit.SECONDS);
        Check.same(4L, docker.inspectExecCmd(exec).exec().getExitCodeLong());
        return said.toString();
    }

    private void files(String id) throws Exception {
        Path given = Files.createTempDirectory("client").resolve("given");
        Files.writeString(given, "given");
        docker.copyArchiveToContainerCmd(id).withHostResource(given.toString()).withRemotePath("/kept").exec();
        Files.delete(given);
        Files.delete(given.getParent());
        try (InputStream tar = docker.copyArchiveFromContainerCmd(id, "/kept/given").exec()) {
            String all = new String(tar.readAllBytes(), StandardCharsets.ISO_8859_1);
            Check.that(all.startsWith("given\0") && all.startsWith("given", 512), all);
        }
        Check.that(docker.containerDiffCmd(id).exec().stream().anyMatch(change -> change.getPath().equals("/kept")), "no change");
    }

    private void image(String id) throws Exception {
        String made = docker.commitCmd(id).withRepository(NAME).withTag("1").exec();
        Check.same(List.of(NAME + ":1"), docker.inspectImageCmd(made).exec().getRepoTags());
        docker.tagImageCmd(made, NAME, "2").exec();
        docker.removeImageCmd(NAME + ":1").exec();
        try (InputStream saved = docker.saveImageCmd(NAME + ":2").exec()) {
            byte[] archive = saved.readAllBytes();
            docker.removeImageCmd(NAME + ":2").exec();
            docker.loadImageCmd(new ByteArrayInputStream(archive)).exec();
        }
        Check.same(1, docker.listImagesCmd().withReferenceFilter(NAME + ":2").exec().size());
        docker.removeImageCmd(NAME + ":2").withForce(true).exec();
    }

    private void end(String id) {
        docker.pauseContainerCmd(id).exec();
        docker.unpauseContainerCmd(id).exec();
        try {
            docker.removeContainerCmd(id).exec();
            throw new AssertionError("removed while it runs");
        } catch (ConflictException e) {
            // as it is to be
        }
        docker.updateContainerCmd(id).withMemory(128L << 20).withMemorySwap(256L << 20).exec();
        var waiting = docker.waitContainerCmd(id).exec(new WaitContainerResultCallback());
        docker.killContainerCmd(id).exec();
        Check.same(137, waiting.awaitStatusCode(30, TimeUnit.SECONDS));
        docker.removeContainerCmd(id).withForce(true).withRemoveVolumes(true).exec();
        docker.removeVolumeCmd(NAME).exec();
    }
}
