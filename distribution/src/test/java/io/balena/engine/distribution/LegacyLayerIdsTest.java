package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class LegacyLayerIdsTest {
    /// As Docker 20.10 names the folders when it saves busybox:1.24 of March 2016.
    @Test
    void theLowerLayersAreNamedAsDockerNamesThem() {
        DiffId base = DiffId.parse("sha256:1834950e52ce4d5a88a1bbd131c537f4d0e56d10ff0dd69e66be3b7dfa9df7e6");
        DiffId empty = DiffId.parse("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
        var image = new Image(TestImage.empty().id(), Json.MAPPER.createObjectNode(), List.of(base, empty), Optional.empty(), 0);
        var ids = new LegacyLayerIds(List.of(image));
        assertEquals(ChainId.of(List.of(base)), ids.chain(new Digest("c9da9d437ce4d82de6e5036f82470fadc6257061f29dfbe89d39813f9188f3d6")));
        assertEquals(Optional.empty(), ids.chain(new Digest("a660023fad609fe882f839876d61bd154f61a35ab013cbcadf124f477240b63b")));
    }
}
