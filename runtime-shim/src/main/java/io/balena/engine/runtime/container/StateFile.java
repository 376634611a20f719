package io.balena.engine.runtime.container;

import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import io.balena.engine.linux.ProcessId;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// `<stateRoot>/<id>/state.json`: what a later shim must know of a container, in the shape of the specification's state, with the
/// process's start time and its control group added.
///
/// @see <a href="https://github.com/opencontainers/runtime-spec/blob/v1.2.0/runtime.md#state">OCI runtime-spec, state</a>
public record StateFile(String id, ProcessId process, Path bundle, String cgroup) {
    private static final JsonFactory JSON = new JsonFactory();
    private static final String NAME = "state.json";
    /// The container's `config.json` as it was when it was created, where other processes are to find it.
    public static final String SPEC = "config.json";
    /// The [io.balena.engine.linux.NamedGate] of a container that waits for its start.
    static final String GATE = "start";

    /// Reserves the id.
    ///
    /// @throws ContainerFailure when it is taken, or could not be the name of a folder
    public static void reserve(Path stateRoot, String id) throws IOException {
        checkId(id);
        Files.createDirectories(stateRoot);
        try {
            Files.createDirectory(stateRoot.resolve(id));
        } catch (FileAlreadyExistsException _) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "container with given ID already exists");
        }
    }

    static void checkId(String id) throws ContainerFailure {
        boolean valid = !id.isEmpty() && !id.equals(".") && !id.equals("..");
        for (int i = 0; i < id.length() && valid; i++) {
            char c = id.charAt(i);
            valid = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || "_+-.".indexOf(c) >= 0;
        }
        if (!valid) throw new ContainerFailure(ContainerFailure.Kind.SETUP, "invalid container ID format");
    }

    public void write(Path stateRoot) throws IOException {
        var bytes = new ByteArrayOutputStream(512);
        try (var json = JSON.createGenerator(bytes)) {
            json.writeStartObject();
            json.writeStringField("ociVersion", RuntimeSpec.OCI_VERSION);
            json.writeStringField("id", id);
            json.writeNumberField("pid", process.pid());
            json.writeNumberField("startTicks", process.startTicks());
            json.writeStringField("bundle", bundle.toString());
            json.writeStringField("cgroup", cgroup);
            json.writeEndObject();
        }
        Path folder = stateRoot.resolve(id);
        Path temporary = folder.resolve(".tmp-" + NAME);
        Files.write(temporary, bytes.toByteArray());
        Files.move(temporary, folder.resolve(NAME), ATOMIC_MOVE);
    }

    /// @return empty when the container is unknown, its creation did not come that far, or the file is damaged: then nobody knows its
    ///     process any more, and it counts as ended
    public static Optional<StateFile> read(Path stateRoot, String id) throws IOException {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(stateRoot.resolve(id).resolve(NAME));
        } catch (NoSuchFileException _) {
            return Optional.empty();
        }
        try {
            return parse(id, bytes);
        } catch (JsonProcessingException | InvalidPathException _) {
            return Optional.empty();
        }
    }

    private static Optional<StateFile> parse(String id, byte[] bytes) throws IOException {
        int pid = 0;
        long startTicks = 0;
        String bundle = "";
        String cgroup = "";
        try (var json = JSON.createParser(bytes)) {
            json.nextToken();
            for (String field; (field = json.nextFieldName()) != null; ) {
                JsonToken value = json.nextToken();
                switch (field) {
                    case "pid" -> pid = json.getIntValue();
                    case "startTicks" -> startTicks = json.getLongValue();
                    case "bundle" -> bundle = json.getText();
                    case "cgroup" -> cgroup = json.getText();
                    default -> {
                        if (value.isStructStart()) json.skipChildren();
                    }
                }
            }
        }
        if (pid <= 0) return Optional.empty();
        return Optional.of(new StateFile(id, new ProcessId(pid, startTicks), Path.of(bundle), cgroup));
    }

    public static List<String> ids(Path stateRoot) throws IOException {
        List<String> ids = new ArrayList<>();
        try (var folders = Files.newDirectoryStream(stateRoot)) {
            for (Path folder : folders) {
                if (Files.isDirectory(folder)) ids.add(folder.getFileName().toString());
            }
        } catch (NoSuchFileException _) {
            // nothing was ever created
        }
        return ids;
    }

    public static void remove(Path stateRoot, String id) throws IOException {
        checkId(id);
        Path folder = stateRoot.resolve(id);
        Files.deleteIfExists(folder.resolve(NAME));
        Files.deleteIfExists(folder.resolve(".tmp-" + NAME));
        Files.deleteIfExists(folder.resolve(SPEC));
        Files.deleteIfExists(folder.resolve(GATE));
        // Of a runtime that was killed while a hook ran.
        Files.deleteIfExists(folder.resolve(HookRunner.INPUT));
        Files.deleteIfExists(folder.resolve(HookRunner.OUTPUT));
        Files.deleteIfExists(folder);
    }
}
