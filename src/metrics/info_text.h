// InfoText: figures as the text of INFO.
//
// A section is a line "# Title" and lines "name:value"; an empty line stands between sections. The
// line of a family's member is "<family><label>:part=value,part=value".
#pragma once

#include <string>
#include <string_view>

#include "src/metrics/figures.h"

namespace hearth {

class InfoText final : public FigureView {
 public:
  void begin_section(std::string_view title) override;
  void add(const FigureInfo& info, const FigureValue& value) override;
  void begin_family(const FigureInfo& info) override { family_ = info.name; }
  void begin_member(std::string_view label) override;
  void add_part(std::string_view name, const FigureValue& value) override;
  void end_member() override { text_ += "\r\n"; }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void append(const FigureValue& value);

  std::string text_;
  std::string_view family_;
  bool member_has_parts_ = false;
};

}  // namespace hearth
