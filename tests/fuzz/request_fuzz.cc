// Any bytes, in one piece or byte by byte, give the same requests or the same error, under usual
// and under the greatest limits.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "src/base/check.h"
#include "src/proto/request_parser.h"

namespace {

using namespace hearth;

std::vector<std::string> parse(std::string_view input, std::size_t step,
                               const ParserLimits& limits) {
  RequestParser parser;
  std::vector<std::string> out;
  std::size_t begin = 0, available = 0;
  while (available < input.size()) {
    available = std::min(input.size(), available + step);
    for (;;) {
      std::vector<std::string_view> args;
      std::size_t consumed = 0;
      const auto status =
          parser.next(input.substr(begin, available - begin), limits, args, consumed);
      if (status == RequestParser::Status::kNeedMore) {
        // A wish for more is one for bytes that are not here, and no sum that went around.
        HEARTH_CHECK(parser.bytes_wanted() == 0 || parser.bytes_wanted() > available - begin);
        break;
      }
      if (status == RequestParser::Status::kError) {
        out.push_back("error");
        return out;
      }
      HEARTH_CHECK(consumed > 0 && consumed <= available - begin);
      begin += consumed;
      std::string line = "request";
      for (const auto arg : args) line += "|" + std::string(arg);
      out.push_back(std::move(line));
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data),
                               std::min<std::size_t>(size, 4096));
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  for (const ParserLimits& limits : {ParserLimits{1 << 20, 1 << 16, 64 * 1024, true},
                                     ParserLimits{kMost, kMost, 64 * 1024, true},
                                     ParserLimits{kMost, kMost, 64 * 1024, false}}) {
    const auto whole = parse(input, input.size() + 1, limits);
    HEARTH_CHECK(parse(input, 1, limits) == whole);
    HEARTH_CHECK(parse(input, 7, limits) == whole);
  }
  return 0;
}
