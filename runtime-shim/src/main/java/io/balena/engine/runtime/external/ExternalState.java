package io.balena.engine.runtime.external;

import io.balena.engine.runtime.RuntimeCommand;
import io.balena.engine.runtime.wire.Message;
import io.balena.engine.runtime.wire.Protocol;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// `<stateRoot>/<id>/runtime`: what is kept of a container that another runtime makes, beside its `StateFile`.
///
/// The file `command` holds a message of kind [Protocol#CREATE], `cgroup` the path of control groups that are the container's alone; it may
/// be missing. The others belong to one [ExternalCall] each, and are gone after it
/// unless the shim was killed meanwhile.
///
/// @param folder may be missing
public record ExternalState(Path folder) {
    private static final String COMMAND = "command";
    private static final String CGROUP = "cgroup";
    private static final RuntimeCommand NONE = new RuntimeCommand("/dev/null", List.of());

    public static ExternalState of(Path stateRoot, String id) {
        return new ExternalState(stateRoot.resolve(id).resolve("runtime"));
    }

    /// Before the runtime is run for the first time.
    ///
    /// @param cgroup the container's own, below the root of every hierarchy
    void create(RuntimeCommand command, Optional<String> cgroup) throws IOException {
        Files.createDirectory(folder);
        if (cgroup.isPresent()) Files.writeString(folder.resolve(CGROUP), cgroup.get());
        Files.write(folder.resolve(COMMAND), Protocol.withRuntime(Message.of(Protocol.CREATE), command).encode());
    }

    /// Whether there is such a container.
    public boolean exists() {
        return Files.isDirectory(folder);
    }

    /// The runtime's; of a shim that was killed before it had written it, one that cannot be run, and has made nothing.
    public RuntimeCommand command() {
        try {
            byte[] encoded = Files.readAllBytes(folder.resolve(COMMAND));
            byte[] content = Arrays.copyOfRange(encoded, Math.min(Message.HEADER_BYTES, encoded.length), encoded.length);
            return Protocol.runtime(Message.parse(content)).orElse(NONE);
        } catch (IOException e) {
            return NONE;
        }
    }

    Optional<String> cgroup() throws IOException {
        try {
            return Optional.of(Files.readString(folder.resolve(CGROUP))).filter(path -> !path.isEmpty());
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    void delete() throws IOException {
        try (var files = Files.newDirectoryStream(folder)) {
            for (Path file : files) Files.delete(file);
        } catch (NoSuchFileException e) {
            return;
        }
        Files.delete(folder);
    }
}
