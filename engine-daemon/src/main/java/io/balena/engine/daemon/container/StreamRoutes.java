package io.balena.engine.daemon.container;

import static io.balena.engine.daemon.http.Route.get;
import static io.balena.engine.daemon.http.Route.post;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotSupported;
import io.balena.engine.daemon.Timestamps;
import io.balena.engine.daemon.container.log.ContainerLog;
import io.balena.engine.daemon.container.log.LogQuery;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.client.AttachedStream;
import io.balena.engine.runtime.client.Shim;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/// Routes that carry a program's input and output: logs, attach, exec.
final class StreamRoutes {
    private static final String RAW = "application/vnd.docker.raw-stream";
    private static final String FRAMED = "application/vnd.docker.multiplexed-stream";
    /// How long a client waits for the exit that follows the end of output, on a busy machine.
    private static final Duration EXIT_AFTER_OUTPUT = Duration.ofSeconds(5);

    private final ContainerStore store;
    private final Containers containers;
    private final Execs execs;
    private final ContainerEvents events;
    private final Shim shim;
    private final ContainerLogs logs;

    StreamRoutes(ContainerStore store, Containers containers, Execs execs, ContainerEvents events, Shim shim, ContainerLogs logs) {
        this.store = store;
        this.containers = containers;
        this.execs = execs;
        this.events = events;
        this.shim = shim;
        this.logs = logs;
    }

    List<Route> table() {
        return List.of(
                get("/containers/{id}/logs", this::logs),
                post("/containers/{id}/attach", this::attach),
                get("/containers/{id}/attach/ws", this::attachWebSocket),
                post("/containers/{id}/exec", this::createExec),
                post("/exec/{id}/start", this::startExec),
                post("/exec/{id}/resize", this::resizeExec),
                get("/exec/{id}/json", this::inspectExec));
    }

    /// From 1.42 on, the type says whether a stream is framed.
    private static String type(boolean tty, Request request) {
        return tty || !request.version().atLeast(1, 42) ? RAW : FRAMED;
    }

    private Response logs(Request request) {
        Container container = store.find(request.path("id"));
        boolean stdout = request.flag("stdout");
        boolean stderr = request.flag("stderr");
        if (!stdout && !stderr) throw new InvalidRequest("Bad parameters: you must choose at least one stream");
        ContainerRecord record = container.record();
        ContainerLog log = logs.of(record).orElseThrow(() -> NotSupported.saying("configured logging driver does not support reading"));
        var query = new LogQuery(stdout, stderr, time(request, "since"), time(request, "until"), tail(request), request.flag("follow"));
        CompletableFuture<Integer> ended = query.follow() ? containers.await(container.id().hex(), Containers.Condition.NOT_RUNNING)
                : CompletableFuture.completedFuture(0);
        boolean tty = record.config().tty();
        return new Response.Stream(200, type(tty, request), body -> {
            body.flush();
            var out = new LogStream(body, !tty, request.flag("timestamps"), request.flag("details"));
            try {
                log.read(query, ended, body::flush, out::write);
            } finally {
                ended.cancel(false);
            }
        });
    }

    private static Optional<Instant> time(Request request, String parameter) {
        return request.query(parameter).filter(text -> !text.equals("0")).map(text -> Timestamps.parse(text, Instant.now()));
    }

    private static OptionalInt tail(Request request) {
        String text = request.query("tail").orElse("all");
        return text.matches("\\d{1,9}") ? OptionalInt.of(Integer.parseInt(text)) : OptionalInt.empty();
    }

    private Response attach(Request request) throws IOException {
        return new Response.Hijack(type(store.find(request.path("id")).record().config().tty(), request), attachment(request, true));
    }

    /// Both outputs in one, as on a terminal.
    private Response attachWebSocket(Request request) throws IOException {
        return new Response.WebSocketHijack(attachment(request, false));
    }

    /// @param framed output of the two streams is told apart, where there are two
    private Response.Connection attachment(Request request, boolean framed) throws IOException {
        Container container = store.find(request.path("id"));
        ContainerRecord record = container.record();
        if (record.state() instanceof ContainerState.Paused) {
            throw new Conflict("container " + record.id() + " is paused, unpause the container before attach");
        }
        if (record.state() instanceof ContainerState.Restarting) {
            throw new Conflict("container " + record.id() + " is restarting, wait until the container is running");
        }
        DetachKeys keys = DetachKeys.parse(request.query("detachKeys").orElse(""));
        boolean tty = record.config().tty();
        boolean stdin = request.flag("stdin") && record.config().openStdin();
        boolean stdout = request.flag("stdout");
        boolean stderr = request.flag("stderr");
        Optional<CompletableFuture<AttachedStream>> process =
                request.flag("stream") ? Optional.of(stream(container, stdin, stdout, stderr)) : Optional.empty();
        events.publish(record, "attach");
        return (fromClient, toClient) -> {
            Optional<ContainerLog> log = request.flag("logs") ? logs.of(record) : Optional.empty();
            if (log.isPresent()) {
                var out = new LogStream(toClient, framed && !tty, false, false);
                log.get().read(new LogQuery(stdout, stderr, Optional.empty(), Optional.empty(), OptionalInt.empty(), false),
                        CompletableFuture.completedFuture(0), () -> {}, out::write);
            }
            if (process.isEmpty()) return;
            AttachedStream attached;
            try {
                attached = process.get().get();
            } catch (InterruptedException e) {
                process.get().cancel(false);
                throw new InterruptedIOException("the client left");
            } catch (ExecutionException e) {
                return; // it could not be started; who started it was told why
            }
            OutputStream out = framed || tty ? toClient : new Unframed(toClient);
            if (StreamRelay.run(attached, fromClient, out, stdin, tty ? Optional.of(keys) : Optional.empty())) {
                events.publish(container.record(), "detach");
            }
        };
    }

    /// The streams of a container, at once when it runs, else when it is started.
    private CompletableFuture<AttachedStream> stream(Container container, boolean stdin, boolean stdout, boolean stderr) throws IOException {
        try (var _ = container.lock()) {
            if (container.state() instanceof ContainerState.Removing) {
                throw new Conflict("container " + container.id() + " is marked for removal and cannot be attached to");
            }
            if (!container.state().isAlive()) return container.attachments.await(stdin, stdout, stderr);
        }
        return CompletableFuture.completedFuture(shim.attach(ProcessKey.container(container.id().hex()), stdin, stdout, stderr));
    }

    private Response createExec(Request request) {
        JsonNode body = request.json();
        List<String> command = texts(body, "Cmd");
        var size = size(body);
        String id = execs.create(request.path("id"), new Execs.Request(command, texts(body, "Env"), body.path("User").asText(""),
                body.path("WorkingDir").asText(""), body.path("Tty").asBoolean(false), body.path("Privileged").asBoolean(false),
                body.path("AttachStdin").asBoolean(false), body.path("AttachStdout").asBoolean(false), body.path("AttachStderr").asBoolean(false),
                body.path("DetachKeys").asText(""), size));
        return Response.json(201, JsonNodeFactory.instance.objectNode().put("Id", id));
    }

    private static Optional<RuntimeSpec.ConsoleSize> size(JsonNode body) {
        JsonNode size = body.path("ConsoleSize");
        if (!size.isArray() || size.size() != 2 || size.get(0).asInt() == 0) return Optional.empty();
        return Optional.of(new RuntimeSpec.ConsoleSize(size.get(0).asInt(), size.get(1).asInt()));
    }

    private static List<String> texts(JsonNode body, String field) {
        JsonNode value = body.path(field);
        if (value.isTextual()) return List.of(value.asText());
        List<String> texts = new ArrayList<>();
        for (JsonNode each : value) {
            if (!each.isTextual()) {
                throw new InvalidRequest("json: cannot unmarshal " + each.getNodeType().name().toLowerCase(Locale.ROOT)
                        + " into Go struct field ExecConfig." + field + " of type string");
            }
            texts.add(each.asText());
        }
        return texts;
    }

    private Response startExec(Request request) throws IOException {
        Execs.Exec exec = execs.find(request.path("id"));
        JsonNode body = request.json();
        Optional<RuntimeSpec.ConsoleSize> size = size(body);
        boolean detach = body.path("Detach").asBoolean(false);
        DetachKeys keys = DetachKeys.parse(exec.request.detachKeys());
        execs.begin(exec);
        if (detach) {
            execs.run(exec, size);
            return new Response.Empty(200);
        }
        boolean tty = exec.request.tty();
        return new Response.Hijack(type(tty, request), (fromClient, toClient) -> {
            AttachedStream attached = execs.attach(exec);
            try {
                execs.run(exec, size);
            } catch (IOException | EngineException e) {
                attached.close();
                complain(toClient, tty, e.getMessage());
                return;
            }
            if (!StreamRelay.run(attached, fromClient, toClient, exec.request.stdin(), tty ? Optional.of(keys) : Optional.empty())) {
                awaitEnd(exec);
            }
        });
    }

    private static void awaitEnd(Execs.Exec exec) {
        try {
            exec.awaitEnd(EXIT_AFTER_OUTPUT);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    /// The connection is no longer HTTP; the client learns the reason as output, and the exit code when it asks.
    private static void complain(OutputStream toClient, boolean tty, String message) throws IOException {
        byte[] text = (message + "\r\n").getBytes(UTF_8);
        if (!tty) toClient.write(LogStream.header(1, text.length));
        toClient.write(text);
        toClient.flush();
    }

    private Response resizeExec(Request request) throws IOException {
        execs.resize(execs.find(request.path("id")), request.integer("h", 0), request.integer("w", 0));
        return new Response.Empty(200);
    }

    private Response inspectExec(Request request) {
        Execs.Exec exec = execs.inspect(request.path("id"));
        Execs.Request asked = exec.request;
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("ID", exec.id).put("Running", exec.state() instanceof Execs.State.Running);
        if (exec.state() instanceof Execs.State.Ended ended) json.put("ExitCode", ended.code());
        else json.putNull("ExitCode");
        ObjectNode process = json.putObject("ProcessConfig").put("tty", asked.tty()).put("entrypoint", asked.command().getFirst());
        var arguments = process.putArray("arguments");
        asked.command().stream().skip(1).forEach(arguments::add);
        process.put("privileged", asked.privileged());
        if (!asked.user().isEmpty()) process.put("user", asked.user());
        json.put("OpenStdin", asked.stdin()).put("OpenStderr", asked.stderr()).put("OpenStdout", asked.stdout())
                .put("CanRemove", false).put("ContainerID", exec.container.id().hex())
                .put("DetachKeys", DetachKeys.parse(asked.detachKeys()).shown(asked.detachKeys()));
        return Response.json(json.put("Pid", switch (exec.state()) {
            case Execs.State.New _ -> 0;
            case Execs.State.Running(int pid) -> pid;
            case Execs.State.Ended(int _, int pid) -> pid;
        }));
    }
}
