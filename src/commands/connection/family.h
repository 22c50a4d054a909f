// The connection family: who is at the other end, and how it wants to be spoken to.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kPing, kEcho, kSelect, kQuit, kReset, kAuth, kHello, kClient;
extern const CommandSpec kClientId, kClientInfo, kClientList, kClientKill, kClientSetName,
    kClientGetName, kClientSetInfo, kClientPause, kClientUnpause, kClientReply, kClientNoEvict,
    kClientNoTouch, kClientUnblock, kClientGetRedir, kClientTrackingInfo, kClientTracking,
    kClientCaching, kClientCapa, kClientImportSource, kClientHelp;

inline constexpr const CommandSpec* kConnectionFamily[] = {
    &kPing, &kEcho, &kSelect, &kQuit, &kReset, &kAuth, &kHello, &kClient,
};

}  // namespace hearth::commands
