// RequestBatch: requests of one connection, parsed but not yet executed.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "src/store/keyspace.h"

namespace hearth {

struct Command;
struct Session;

struct ParsedRequest {
  std::uint32_t first = 0;  // where its words start in RequestBatch::words
  std::uint32_t count = 0;
  std::size_t end = 0;  // offset behind its last byte, in the connection's buffer
  // Filled in by Engine::prepare().
  const Command* command = nullptr;
  KeyRef key{};  // the first key, if the command has one at a fixed position
};

// Bounded: a connection parses at most kRequestsMost at a time, so that their keys fit the cache.
struct RequestBatch {
  static constexpr std::size_t kRequestsMost = 64;
  static constexpr std::size_t kWordsKept = 8192;

  std::vector<std::string_view> words;
  std::vector<ParsedRequest> requests;
  std::size_t begin = 0;  // offset of the first request, in the connection's buffer

  [[nodiscard]] std::span<const std::string_view> argv(const ParsedRequest& r) const {
    return {words.data() + r.first, r.count};
  }
  void clear() {
    // Memory of a request with very many words is not kept for later ones.
    if (words.capacity() > kWordsKept) std::vector<std::string_view>().swap(words);
    words.clear();
    requests.clear();
    begin = 0;
  }
};

// A batch and the session that sent it.
struct SessionBatch {
  Session* session = nullptr;
  RequestBatch* batch = nullptr;
};

}  // namespace hearth
