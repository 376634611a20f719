package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.ContainerStore.Durability;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.spec.CgroupSupport;
import io.balena.engine.daemon.container.spec.ResourceLimits;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.client.Shim;
import java.io.IOException;
import java.util.List;

/// Changes what a container may use and when it is restarted, also while it runs.
///
/// The kernel is asked before the change is recorded: what it refuses has not happened.
final class Updates {
    private static final ObjectMapper JSON = new ObjectMapper();
    /// Numbers of a `HostConfig` that may be changed.
    private static final List<String> NUMBERS = List.of("BlkioWeight", "CpuShares", "NanoCpus", "CpuPeriod", "CpuQuota", "Memory", "MemorySwap",
            "MemoryReservation", "KernelMemory", "CpuRealtimePeriod", "CpuRealtimeRuntime");
    private static final List<String> TEXTS = List.of("CpusetCpus", "CpusetMems");

    private final ContainerStore store;
    private final ContainerEvents events;
    private final Shim shim;

    Updates(ContainerStore store, ContainerEvents events, Shim shim) {
        this.store = store;
        this.events = events;
        this.shim = shim;
    }

    /// @param asked what is 0, empty or null in it stays as it is
    /// @return what this machine cannot do, and was left out
    /// @throws EngineException in Docker's words; nothing has changed then
    List<String> update(String idOrName, HostConfig asked) throws IOException {
        Container container = store.find(idOrName);
        asked.restartPolicy().validate();
        ResourceChecks.Checked checked = ResourceChecks.ofChange(asked, CgroupSupport.ofThisMachine());
        try (var _ = container.lock()) {
            if (store.get(container.id().hex()).isEmpty()) throw new NotFound("No such container: " + idOrName);
            ContainerRecord record = container.record();
            String cannot = "Cannot update container " + record.id() + ": ";
            if (record.state() instanceof ContainerState.Removing) {
                throw new Conflict(cannot + "container is marked for removal and cannot be \"update\"");
            }
            HostConfig changed = changed(record.host(), checked.host(), cannot);
            boolean lives = record.state().isAlive();
            try {
                if (lives) shim.update(record.id().hex(), JSON.writeValueAsBytes(ResourceLimits.changeable(changed)));
            } catch (ContainerFailure e) {
                throw new SystemFailure(cannot + e.getMessage() + ": unknown", e);
            }
            try {
                store.save(container, record.with(changed), Durability.POWER_CUT);
            } catch (IOException | RuntimeException e) {
                if (lives) shim.update(record.id().hex(), JSON.writeValueAsBytes(ResourceLimits.changeable(record.host())));
                throw e;
            }
            events.publish(container.record(), "update");
            return checked.warnings();
        }
    }

    private static HostConfig changed(HostConfig before, HostConfig asked, String cannot) {
        refuseMixture(before, asked, "NanoCpus", "CpuPeriod", cannot + "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set");
        refuseMixture(before, asked, "NanoCpus", "CpuQuota", cannot + "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set");
        refuseMixture(before, asked, "CpuPeriod", "NanoCpus", cannot + "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set");
        refuseMixture(before, asked, "CpuQuota", "NanoCpus", cannot + "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set");
        if (number(asked, "Memory") != 0 && number(asked, "Memory") > number(before, "MemorySwap") && number(asked, "MemorySwap") == 0) {
            throw new Conflict(cannot + "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time");
        }
        ObjectNode document = before.document().deepCopy();
        for (String field : NUMBERS) {
            if (number(asked, field) != 0) document.put(field, number(asked, field));
        }
        for (String field : TEXTS) {
            if (!asked.text(field).isEmpty()) document.put(field, asked.text(field));
        }
        if (asked.given("PidsLimit")) document.put("PidsLimit", number(asked, "PidsLimit"));
        var changed = new HostConfig(document);
        if (asked.restartPolicy().name().isEmpty()) return changed;
        if (before.autoRemove() && !asked.restartPolicy().none()) {
            throw new Conflict(cannot + "Restart policy cannot be updated because AutoRemove is enabled for the container");
        }
        return changed.withRestartPolicy(asked.restartPolicy());
    }

    private static void refuseMixture(HostConfig before, HostConfig asked, String wanted, String set, String message) {
        if (number(asked, wanted) > 0 && number(before, set) > 0) throw new Conflict(message);
    }

    private static long number(HostConfig host, String field) {
        return host.positive(field).orElse(0);
    }
}
