// Any bytes end in values, in an error or in a wish for more; never in anything else.
#include <cstdint>
#include <string_view>

#include "src/base/check.h"
#include "src/proto/reply_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The greatest lengths in front of nothing cost nothing.
  hearth::ReplyParser greedy({.bulk_bytes = ~std::size_t{0}, .elements = ~std::size_t{0}});
  greedy.feed({reinterpret_cast<const char*>(data), size});
  for (auto reply = greedy.next(); reply && *reply; reply = greedy.next()) {
  }
  hearth::ReplyParser parser;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::size_t replies = 0;
  while (!input.empty()) {
    parser.feed(input.substr(0, 13));
    input.remove_prefix(std::min<std::size_t>(13, input.size()));
    for (;;) {
      auto reply = parser.next();
      if (!reply) return 0;
      if (!*reply) break;
      HEARTH_CHECK(++replies <= size);
    }
  }
  return 0;
}
