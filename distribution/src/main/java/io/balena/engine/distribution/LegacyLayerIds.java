package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/// The ids that `docker save` before Docker 25 gave to layers, being ids of the image format before layers had digests: the digest of a
/// document that tells of the layer and of the id of the layer below.
///
/// For all but an image's topmost layer that document holds nothing else. So an archive's base layers are recognised by the names of
/// their folders.
final class LegacyLayerIds {
    private static final String NO_CONFIG = "\"container_config\":{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\","
            + "\"AttachStdin\":false,\"AttachStdout\":false,\"AttachStderr\":false,\"Tty\":false,\"OpenStdin\":false,"
            + "\"StdinOnce\":false,\"Env\":null,\"Cmd\":null,\"Image\":\"\",\"Volumes\":null,\"WorkingDir\":\"\","
            + "\"Entrypoint\":null,\"OnBuild\":null,\"Labels\":null}";

    private final Map<Digest, ChainId> chains = new HashMap<>();

    /// Of all layers of `images`.
    LegacyLayerIds(Collection<Image> images) {
        images.forEach(this::add);
    }

    Optional<ChainId> chain(Digest id) {
        return Optional.ofNullable(chains.get(id));
    }

    private void add(Image image) {
        Optional<ChainId> chain = Optional.empty();
        Optional<Digest> below = Optional.empty();
        for (DiffId layer : image.diffIds()) {
            chain = Optional.of(ChainId.of(chain, layer));
            below = Optional.of(id(chain.get(), below));
            chains.put(below.get(), chain.get());
        }
    }

    private static Digest id(ChainId chain, Optional<Digest> below) {
        String parent = below.map(id -> ",\"parent\":\"" + id + "\"").orElse("");
        String document = "{" + NO_CONFIG + ",\"created\":\"1970-01-01T00:00:00Z\",\"layer_id\":\"" + chain + "\"" + parent + "}";
        return Digest.of(document.getBytes(US_ASCII));
    }
}
