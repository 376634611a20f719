package io.balena.engine.clients;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import org.testcontainers.containers.BindMode;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.Network;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.images.builder.Transferable;
import org.testcontainers.utility.DockerImageName;
import org.testcontainers.utility.MountableFile;

/// What a test does with Testcontainers: `Testing IMAGE`; the engine is named by `DOCKER_HOST`.
final class Testing {
    private Testing() {}

    public static void main(String[] arguments) throws Exception {
        var image = DockerImageName.parse(arguments[0]);
        try (var web = new GenericContainer<>(image).withCommand("sh", "-c", "until test -e /www/index.html; do sleep 0.1; done; echo serving; exec httpd -f -p 8080 -h /www")
                .withExposedPorts(8080).withEnv("A", "b").withFileSystemBind("/etc", "/host-etc", BindMode.READ_ONLY)
                .withCopyToContainer(Transferable.of("hello from a test"), "/www/index.html")
                .waitingFor(Wait.forHttp("/").forStatusCode(200).withStartupTimeout(Duration.ofSeconds(60)))) {
            web.start();
            Check.same("hello from a test", get("http://" + web.getHost() + ":" + web.getMappedPort(8080) + "/"));
            Check.that(web.getLogs().contains("serving"), web.getLogs());
            var ran = web.execInContainer("sh", "-c", "echo $A; echo err >&2; exit 2");
            Check.same("b\n|err\n|2", ran.getStdout() + "|" + ran.getStderr() + "|" + ran.getExitCode());
            web.copyFileToContainer(Transferable.of("more"), "/www/deeper/more");
            Check.same("more", get("http://" + web.getHost() + ":" + web.getMappedPort(8080) + "/deeper/more"));
            Check.same("more", web.copyFileFromContainer("/www/deeper/more", in -> new String(in.readAllBytes())));
            web.copyFileToContainer(MountableFile.forHostPath("/etc/passwd"), "/www/passwd");
            Check.same(0, web.execInContainer("grep", "-q", "root", "/www/passwd").getExitCode());
        }
        try (var said = new GenericContainer<>(image).withCommand("sh", "-c", "sleep 0.3; echo 'it is ready'; exec sleep 1000").waitingFor(Wait.forLogMessage(".*is ready.*", 1))) {
            said.start();
        }
        onNetwork(image);
        System.out.println("done");
        System.exit(0); // its threads are in no hurry
    }

    private static void onNetwork(DockerImageName image) throws Exception {
        try (var network = Network.newNetwork();
                var server = new GenericContainer<>(image).withCommand("sh", "-c", "echo serving; exec httpd -f -p 80 -h /etc").withNetwork(network).withNetworkAliases("server")
                        .waitingFor(Wait.forLogMessage("serving\\n", 1));
                var client = new GenericContainer<>(image).withCommand("sleep", "1000").withNetwork(network)) {
            server.start();
            client.start();
            Check.same(0, client.execInContainer("sh", "-c", "for i in 1 2 3 4 5; do wget -q -O- http://server/passwd && exit; sleep 0.2; done; exit 1").getExitCode());
        }
    }

    private static String get(String url) throws Exception {
        try (var http = HttpClient.newHttpClient()) {
            return http.send(HttpRequest.newBuilder(URI.create(url)).build(), BodyHandlers.ofString()).body();
        }
    }
}
