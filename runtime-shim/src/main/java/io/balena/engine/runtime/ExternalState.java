package io.balena.engine.runtime;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/// `<stateRoot>/<id>/runtime`: what is kept of a container that another runtime makes, beside its [StateFile].
///
/// The file `command` holds a message of kind [Protocol#CREATE]. The others belong to one [ExternalCall] each, and are gone after it
/// unless the shim was killed meanwhile.
///
/// @param folder may be missing
record ExternalState(Path folder) {
    private static final String COMMAND = "command";

    static ExternalState of(Path stateRoot, String id) {
        return new ExternalState(stateRoot.resolve(id).resolve("runtime"));
    }

    /// Before the runtime is run for the first time.
    void create(RuntimeCommand command) throws IOException {
        Files.createDirectory(folder);
        Files.write(folder.resolve(COMMAND), Protocol.withRuntime(Message.of(Protocol.CREATE), command).encode());
    }

    /// @return empty when the container is the shim's own, or there is none
    Optional<RuntimeCommand> command() throws IOException {
        byte[] encoded;
        try {
            encoded = Files.readAllBytes(folder.resolve(COMMAND));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
        if (encoded.length <= Message.HEADER_BYTES) return Optional.empty(); // killed while it was written: nothing was made yet
        return Protocol.runtime(Message.parse(Arrays.copyOfRange(encoded, Message.HEADER_BYTES, encoded.length)));
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
