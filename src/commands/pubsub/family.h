// The pub/sub family: channels, patterns and shard channels.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kSubscribe, kUnsubscribe, kPSubscribe, kPUnsubscribe, kSSubscribe,
    kSUnsubscribe, kPublish, kSPublish, kPubSub;

inline constexpr const CommandSpec* kPubSubFamily[] = {
    &kSubscribe,    &kUnsubscribe, &kPSubscribe, &kPUnsubscribe, &kSSubscribe,
    &kSUnsubscribe, &kPublish,     &kSPublish,   &kPubSub,
};

}  // namespace hearth::commands
