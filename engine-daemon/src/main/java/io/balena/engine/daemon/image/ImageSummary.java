package io.balena.engine.daemon.image;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;

/// A row of `GET /images/json`.
///
/// @param created seconds since the epoch
/// @param sharedSize bytes of layers that other images have too; -1 when not asked for
/// @param virtualSize the same as `size`; left out (null) from 1.44 on
/// @param containers how many use it; -1 when not asked for
public record ImageSummary(
        @JsonProperty("Containers") int containers,
        @JsonProperty("Created") long created,
        @JsonProperty("Id") String id,
        @JsonProperty("Labels") JsonNode labels,
        @JsonProperty("ParentId") String parentId,
        @JsonProperty("RepoDigests") List<String> repoDigests,
        @JsonProperty("RepoTags") List<String> repoTags,
        @JsonProperty("SharedSize") long sharedSize,
        @JsonProperty("Size") long size,
        @JsonProperty("VirtualSize") @JsonInclude(JsonInclude.Include.NON_NULL) Long virtualSize) {}
