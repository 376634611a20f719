package io.balena.engine.packaging.contract;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/// What the scripts of `endpoints` do not show in every version, and why.
public final class KnownGaps {
    /// By the words of [Coverage#gaps].
    public static final Map<String, String> REASONS = new TreeMap<>();

    static {
        because("nothing can be wrong with it", "GET /_ping: failure", "HEAD /_ping: failure", "GET /info: failure", "GET /version: failure");
        because("what could be wrong came with 1.42", "GET /system/df: failure");
        because("is another protocol from there on: WebSocketIT", "GET /containers/{id}/attach/ws: success");
        because("is refused, always", "POST /session: success");
        because("needs a registry: PullIT, PushIT, OtherClientsIT, in 1.41", "GET /distribution/{name}/json: success", "GET /images/search: success",
                "POST /auth: success", "POST /images/{name}/push: success");
        because("needs an image's archive: CommandScriptIT, in 1.41", "POST /images/load: success", "POST /images/load: failure");
        because("is not there yet", "POST /build: success", "POST /build: failure");
        because("dockerd would do it", "POST /swarm/init: failure", "POST /swarm/join: failure", "POST /plugins/pull: failure");
        because("filters that are none are overlooked, which dockerd refuses", "GET /plugins: failure", "POST /build/prune: failure");
        because("not asked yet", "GET /plugins/privileges: failure", "POST /plugins/create: failure", "POST /plugins/{name}/upgrade: failure",
                "PUT /volumes/{name}: failure", "PUT /volumes/{name}: success");
    }

    private KnownGaps() {}

    private static void because(String reason, String... gaps) {
        Arrays.stream(gaps).forEach(gap -> REASONS.put(gap, reason));
    }
}
