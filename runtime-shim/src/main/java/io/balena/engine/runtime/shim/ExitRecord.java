package io.balena.engine.runtime.shim;

import io.balena.engine.runtime.ExitStatus;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Optional;

/// How a container ended, kept beside the runtime's state of it, so that it outlives the shim until the daemon has seen it.
///
/// The file `exit` holds `code known oomKilled seconds nanos`. The folder is on a tmpfs: there is nothing to sync.
final class ExitRecord {
    private final File stateRoot;

    ExitRecord(File stateRoot) {
        this.stateRoot = stateRoot;
    }

    void save(String containerId, ExitStatus status) throws IOException {
        File folder = new File(stateRoot, containerId);
        if (!folder.isDirectory()) return; // never set up: nothing to be found again either
        String line = status.code() + " " + status.known() + " " + status.oomKilled() + " " + status.at().getEpochSecond() + " "
                + status.at().getNano() + "\n";
        File unready = new File(folder, "exit.new");
        try (var out = new FileOutputStream(unready)) {
            out.write(line.getBytes(StandardCharsets.US_ASCII));
        }
        if (!unready.renameTo(file(containerId))) throw new IOException("rename " + unready);
    }

    /// @return empty when there is none, or it cannot be understood
    Optional<ExitStatus> load(String containerId) {
        try (var in = new FileInputStream(file(containerId))) {
            String line = new String(in.readNBytes(256), StandardCharsets.US_ASCII);
            int[] ends = new int[5];
            int from = 0;
            for (int i = 0; i < 5; i++) {
                ends[i] = line.indexOf(i < 4 ? ' ' : '\n', from);
                if (ends[i] < 0) return Optional.empty();
                from = ends[i] + 1;
            }
            return Optional.of(new ExitStatus(
                    Integer.parseInt(line.substring(0, ends[0])),
                    Boolean.parseBoolean(line.substring(ends[0] + 1, ends[1])),
                    Boolean.parseBoolean(line.substring(ends[1] + 1, ends[2])),
                    Instant.ofEpochSecond(
                            Long.parseLong(line.substring(ends[2] + 1, ends[3])),
                            Long.parseLong(line.substring(ends[3] + 1, ends[4])))));
        } catch (IOException | NumberFormatException e) {
            return Optional.empty();
        }
    }

    void delete(String containerId) {
        file(containerId).delete();
        new File(new File(stateRoot, containerId), "exit.new").delete();
    }

    private File file(String containerId) {
        return new File(new File(stateRoot, containerId), "exit");
    }
}
