// nodes.conf: what a node keeps of its cluster over a restart, as text.
//
//   <id> <ip>:<port>@<cport>[,<hostname>[,<name>=<value>...]] <flags> <primary|-> <ping-sent>
//        <pong-received> <config-epoch> <link-state> [<slot>|<first>-<last>|[<slot>->-<id>]|
//        [<slot>-<-<id>]...]
//   vars currentEpoch <n> lastVoteEpoch <n> [formation <state>]
//
// One line a node; exactly one has the flag "myself". The same format as redis-server 4 .. 8 and
// valkey-server, both ways: they skip the variable `formation`, which is ours, and fields that
// this build does not know are skipped here.
#pragma once

#include <string>
#include <string_view>

#include "cluster/model/view.h"
#include "src/base/result.h"

namespace hearth::cluster {

inline constexpr std::size_t kNodesFileBytesMax = std::size_t{256} << 20;

// Everything that is kept: nodes (handshakes left out), epochs, slots in motion, formation.
[[nodiscard]] std::string nodes_file_text(const View& view);

// The view that nodes_file_text was given, as far as the file keeps it; derived fields are
// computed, link states are "disconnected" and times 0.
// Errors: kCorrupt with the line number and what is wrong. An empty text is an error too: a caller
// for whom that means "new node" asks before.
[[nodiscard]] Result<View> parse_nodes_file(std::string_view text);

}  // namespace hearth::cluster
