// What the state machine of the bus wants done, in this order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cluster/bus/inputs.h"
#include "cluster/model/admin.h"
#include "cluster/model/message.h"
#include "cluster/model/view.h"
#include "src/base/log.h"

namespace hearth::cluster {

namespace action {
// Write nodes.conf so that it survives a crash, before any later action of the same list: a vote,
// an epoch or a claim must be on disk before a peer hears of it. If that fails, drop the Sends
// that follow in the list and tell the machine with input::PersistFailed.
struct Persist {
  ViewPtr view;
};
struct OpenLink {
  LinkId link = 0;
  std::string ip;
  std::uint16_t cport = 0;
};
struct CloseLink {
  LinkId link = 0;
};
// On a link that is not connected any more: drop it.
struct Send {
  LinkId link = 0;
  std::shared_ptr<const Message> message;
};
// Another node took these slots: their keys here are stale and must go.
struct DropKeys {
  SlotSet slots;
};
struct Deliver {  // a PUBLISH of another node, for local subscribers
  std::string channel;
  std::string message;
  bool sharded = false;
};
struct ResolveSeed {
  std::size_t seed = 0;
  std::string host;
};
struct Log {
  log::Level level = log::Level::kNotice;
  std::string text;
};
}  // namespace action

using Action = std::variant<action::Persist, action::OpenLink, action::CloseLink, action::Send,
                            action::DropKeys, action::Deliver, action::ResolveSeed, action::Log>;

struct Actions {
  std::vector<Action> list;
  std::optional<AdminReply> reply;  // to input::Admin
};

}  // namespace hearth::cluster
