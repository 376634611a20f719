package io.balena.engine.graphdriver;

import io.balena.engine.linux.MountView;
import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;

/// Files of a tree taken out and put in as tars, for `docker cp`, while others may be changing the tree.
///
/// @param root the folder that is `/` for paths and symbolic links in the tree, open; such as [MountView#root()]
/// @param owners says whose files on the host those of the tree's users are
public record TreeArchive(int root, IdentityMapping owners) {
    /// One user and group.
    public record Owner(int user, int group) {}

    /// How a tar is put into a folder.
    ///
    /// @param keepsKinds a folder is not replaced by what is none, nor the other way round
    /// @param owner of everything, instead of what the tar says; as seen in the tree
    public record Rules(boolean keepsKinds, Optional<Owner> owner) {}

    /// One file, or a folder with all it holds, as a tar.
    ///
    /// @param folder that it is in, open; stays the caller's, and may be closed at once
    /// @param name in that folder, a symbolic link's perhaps; `.` for the folder itself
    /// @param called what it is called in the tar
    public InputStream read(int folder, byte[] name, byte[] called) throws IOException {
        return TreeTar.ofFile(folder, name, called, owners);
    }

    /// Makes the files of `tar` in a folder. What was made stays when this fails, but no file with half of its content.
    ///
    /// @param folder an absolute path in the tree, of a folder that is there
    /// @throws InvalidLayerException when it is no tar, one that ends too early, or one that wants out of the folder
    public void write(InputStream tar, String folder, Rules rules) throws IOException {
        try (var files = new TreeWriter(this, folder, rules)) {
            var parser = new TarParser(files);
            byte[] piece = new byte[64 * TarParser.RECORD];
            for (int length; (length = tar.readNBytes(piece, 0, piece.length)) > 0; ) parser.accept(piece, length);
            parser.finish();
            files.finish();
        }
    }
}
