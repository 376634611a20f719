package io.balena.engine.runtime.wire;

import io.balena.engine.runtime.ExitStatus;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.RuntimeCommand;
import io.balena.engine.runtime.Stdio;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The words of the conversation between daemon and shim. Numbers are for ever; new ones are added at the end.
///
/// A connection begins with the client's [#HELLO], which the shim answers with its own. Then the client sends requests, each
/// answered by [#DONE] or [#FAILED] before the next is read. Two requests change what the connection is for:
///
/// * after [#SUBSCRIBE] the shim sends [#EXITED] and [#OUT_OF_MEMORY] as they happen, first those of processes that ended and were
///   not deleted;
/// * after [#ATTACH] the shim sends output, as `AttachedStream` describes it, until the process has ended and everything was sent,
///   and then closes. The client sends input in pieces, `length (4 bytes) │ bytes`; length 0 ends stdin.
public final class Protocol {
    /// Sent by both sides. To be raised only when a new side must know that it talks to an old one: what came with which version is below.
    static final int VERSION = 2;
    /// The shim's version from which on it knows [Tag#FORCE].
    public static final int VERSION_OF_FORCE = 2;
    /// First field of [#HELLO]: whoever does not say it has connected to the wrong socket.
    public static final String MAGIC = "balena-engine shim";

    /// The exit code of a shim that finds another one in its place.
    public static final int PLACE_TAKEN = 75;

    public static final int HELLO = 1;
    public static final int LIST = 2;
    public static final int CREATE = 3;
    public static final int START = 4;
    public static final int EXEC = 5;
    public static final int ATTACH = 6;
    public static final int RESIZE = 7;
    public static final int KILL = 8;
    public static final int PAUSE = 9;
    public static final int RESUME = 10;
    public static final int DELETE = 11;
    public static final int SUBSCRIBE = 12;
    /// Ends the shim if it has no containers.
    public static final int LEAVE_IF_IDLE = 13;
    /// Changes a container's limits.
    public static final int UPDATE = 14;

    /// Hands over what the daemon holds of a container that another shim made: its terminal's master, or its output's pipes, from which
    /// the last words of one that has ended are still to be logged.
    public static final int ADOPT = 30;

    public static final int DONE = 64;
    public static final int FAILED = 65;
    public static final int EXITED = 66;
    public static final int OUT_OF_MEMORY = 67;
    /// One container of a [#LIST].
    public static final int CONTAINER = 68;
    /// The `log` of a process to be made.
    static final int LOG = 69;
    /// The runtime that is to make a container; the shim's own when there is none.
    static final int RUNTIME = 70;

    /// Values of [Tag#STATE].
    public static final int CREATED = 1;
    public static final int RUNNING = 2;
    public static final int PAUSED = 3;
    public static final int STOPPED = 4;

    /// Tags of fields.
    public static final class Tag {
        public static final int MAGIC = 1;
        public static final int VERSION = 2;
        public static final int PID = 3;
        public static final int CONTAINER_ID = 4;
        public static final int EXEC_ID = 5;
        public static final int BUNDLE = 6;
        public static final int PROCESS_JSON = 7;
        public static final int STDIN = 8;
        public static final int STDIN_ONCE = 9;
        public static final int LOG = 10;
        public static final int FILE = 11;
        public static final int MAX_BYTES = 12;
        public static final int MAX_FILES = 13;
        public static final int ATTRIBUTE_NAME = 14;
        public static final int ATTRIBUTE_VALUE = 15;
        public static final int STDOUT = 16;
        public static final int STDERR = 17;
        public static final int ROWS = 18;
        public static final int COLUMNS = 19;
        public static final int SIGNAL = 20;
        public static final int FAILURE_KIND = 21;
        public static final int TEXT = 22;
        public static final int CONTAINERS = 23;
        public static final int STATE = 24;
        public static final int SECONDS = 25;
        public static final int NANOS = 26;
        public static final int CODE = 27;
        public static final int KNOWN = 28;
        public static final int OOM_KILLED = 29;
        /// Names of pipes, as in `/proc/<pid>/fd`.
        public static final int STDIN_PIPE = 30;
        public static final int STDOUT_PIPE = 31;
        public static final int STDERR_PIPE = 32;
        /// The `resources` object of the OCI runtime-spec.
        public static final int RESOURCES_JSON = 33;
        /// With [#DELETE]: also a container that runs, which is ended first. Since version 2; an older shim refuses, as without it.
        public static final int FORCE = 34;
        public static final int RUNTIME = 40;
        public static final int PROGRAM = 41;
        public static final int ARGUMENT = 42;
        public static final int OF_OTHER_RUNTIME = 43;
        /// Of a log, by its name in [Stdio.Driver].
        public static final int DRIVER = 50;
        public static final int COMPRESS = 51;
        public static final int BUFFER_BYTES = 52;
        /// Number of the sender's descriptor of a terminal's master.
        public static final int TERMINAL = 60;
        /// The same, of the ends of pipes that output is read from.
        public static final int STDOUT_END = 61;
        public static final int STDERR_END = 62;

        private Tag() {}
    }

    private Protocol() {}

    public static Message.Builder hello() {
        return Message.of(HELLO).text(Tag.MAGIC, MAGIC).number(Tag.VERSION, VERSION);
    }

    public static Message.Builder withKey(Message.Builder message, ProcessKey process) {
        message.text(Tag.CONTAINER_ID, process.containerId());
        if (process.execId().isPresent()) message.text(Tag.EXEC_ID, process.execId().get());
        return message;
    }

    public static ProcessKey key(Message message) {
        return new ProcessKey(message.text(Tag.CONTAINER_ID), message.optionalText(Tag.EXEC_ID));
    }

    public static Message.Builder withTime(Message.Builder message, Instant time) {
        return message.number(Tag.SECONDS, time.getEpochSecond()).number(Tag.NANOS, time.getNano());
    }

    public static Instant time(Message message) {
        return Instant.ofEpochSecond(message.number(Tag.SECONDS), message.number(Tag.NANOS));
    }

    public static Message.Builder withStatus(Message.Builder message, ExitStatus status) {
        return withTime(message, status.at())
                .number(Tag.CODE, status.code())
                .flag(Tag.KNOWN, status.known())
                .flag(Tag.OOM_KILLED, status.oomKilled());
    }

    public static ExitStatus status(Message message) {
        return new ExitStatus(
                (int) message.number(Tag.CODE), message.flag(Tag.KNOWN), message.flag(Tag.OOM_KILLED), time(message));
    }

    public static Message.Builder withStdio(Message.Builder request, Stdio stdio) {
        request.flag(Tag.STDIN, stdio.stdin()).flag(Tag.STDIN_ONCE, stdio.stdinOnce());
        if (stdio.log().isPresent()) {
            Stdio.Log log = stdio.log().get();
            Message.Builder field = Message.of(Protocol.LOG)
                    .text(Tag.FILE, log.file().toAbsolutePath().toString())
                    .number(Tag.MAX_BYTES, log.maxBytes())
                    .number(Tag.MAX_FILES, log.maxFiles())
                    .text(Tag.DRIVER, log.driver().name())
                    .flag(Tag.COMPRESS, log.compress())
                    .number(Tag.BUFFER_BYTES, log.bufferBytes());
            log.attributes().forEach((name, value) -> field.text(Tag.ATTRIBUTE_NAME, name).text(Tag.ATTRIBUTE_VALUE, value));
            request.message(Tag.LOG, field);
        }
        return request;
    }

    public static Message.Builder withRuntime(Message.Builder message, RuntimeCommand runtime) {
        Message.Builder field = Message.of(RUNTIME).text(Tag.PROGRAM, runtime.program());
        for (String argument : runtime.arguments()) field.text(Tag.ARGUMENT, argument);
        return message.message(Tag.RUNTIME, field);
    }

    public static Optional<RuntimeCommand> runtime(Message message) throws IOException {
        for (Message field : message.messages(Tag.RUNTIME)) {
            return Optional.of(new RuntimeCommand(field.text(Tag.PROGRAM), field.texts(Tag.ARGUMENT)));
        }
        return Optional.empty();
    }

    public static Stdio stdio(Message request) throws IOException {
        Optional<Stdio.Log> log = Optional.empty();
        for (Message field : request.messages(Tag.LOG)) {
            List<String> names = field.texts(Tag.ATTRIBUTE_NAME);
            List<String> values = field.texts(Tag.ATTRIBUTE_VALUE);
            if (names.size() != values.size()) throw new IOException("attributes without values");
            Map<String, String> attributes = new LinkedHashMap<>();
            for (int i = 0; i < names.size(); i++) attributes.put(names.get(i), values.get(i));
            log = Optional.of(new Stdio.Log(
                    driver(field.text(Tag.DRIVER)),
                    Path.of(field.text(Tag.FILE)),
                    field.number(Tag.MAX_BYTES),
                    (int) field.number(Tag.MAX_FILES),
                    field.flag(Tag.COMPRESS),
                    (int) field.number(Tag.BUFFER_BYTES),
                    attributes));
        }
        return new Stdio(request.flag(Tag.STDIN), request.flag(Tag.STDIN_ONCE), log);
    }

    /// @param name empty from a daemon or shim that knew only one
    private static Stdio.Driver driver(String name) throws IOException {
        if (name.isEmpty()) return Stdio.Driver.JSON_FILE;
        for (Stdio.Driver driver : Stdio.Driver.values()) {
            if (driver.name().equals(name)) return driver;
        }
        throw new IOException("this shim does not know log driver " + name);
    }
}
