// What the choices of widgets are called in other languages than English. The word that the help pages,
// the messages and the workflows have for a choice stands behind.
import { language } from "./words.js";

const CHOICES = {
  fine: { ja: "高品質", ko: "고품질", zh: "精细" },
  balanced: { ja: "標準", ko: "균형", zh: "均衡" },
  draft: { ja: "下書き", ko: "초안", zh: "草图" },
  paper: { ja: "論文どおり", ko: "논문대로", zh: "论文原样" },
  custom: { ja: "接続したスケジュール", ko: "연결한 스케줄", zh: "所连接的调度" },
  auto: { ja: "自動", ko: "자동", zh: "自动" },
  canny: { ja: "エッジ", ko: "가장자리", zh: "边缘" },
  canny_gpu: { ja: "GPU でエッジ", ko: "GPU로 가장자리", zh: "GPU 边缘" },
  latent_gradient: { ja: "Latent の勾配", ko: "Latent 기울기", zh: "Latent 梯度" },
  step_variance: { ja: "まだ変化する場所", ko: "아직 변하는 곳", zh: "仍在变化处" },
  settled: { ja: "変化が止まった場所", ko: "변화가 멈춘 곳", zh: "不再变化处" },
  velocity_variance: { ja: "動きが分かれる場所", ko: "움직임이 갈리는 곳", zh: "走向不同处" },
  even: { ja: "均等", ko: "고르게", zh: "均匀" },
  random: { ja: "ランダム", ko: "무작위", zh: "随机" },
  text_attention: { ja: "プロンプトへの注目", ko: "프롬프트 주목", zh: "对提示词的关注" },
  avits: { ja: "注目と変化", ko: "주목과 변화", zh: "关注与变化" },
  token: { ja: "パッチの繰り返し", ko: "패치 반복", zh: "重复块" },
  pixel: { ja: "ピクセルの繰り返し", ko: "픽셀 반복", zh: "重复像素" },
  bilinear: { ja: "線形補間", ko: "선형 보간", zh: "线性插值" },
  bicubic: { ja: "3 次補間", ko: "3차 보간", zh: "三次插值" },
  lanczos: { ja: "Lanczos 補間", ko: "Lanczos 보간", zh: "Lanczos 插值" },
  dct: { ja: "周波数", ko: "주파수", zh: "频率" },
  enlarger: { ja: "学習した拡大器", ko: "학습한 확대기", zh: "拟合的放大器" },
  full: { ja: "そのまま", ko: "그대로", zh: "原样" },
  "pooled at half size": { ja: "半分のステージでは縮小", ko: "절반 단계에서 축소", zh: "半尺寸阶段缩小" },
  "match the model": { ja: "モデルに合わせる", ko: "모델에 맞춤", zh: "按所连模型" },
  published: { ja: "論文の値", ko: "논문의 값", zh: "论文的值" },
  "FLUX 4x (released code)": { ja: "公開コード", ko: "공개 코드", zh: "公开代码" },
  "4-step distilled": { ja: "4 ステップ蒸留", ko: "4스텝 증류", zh: "4 步蒸馏" },
  "8-step distilled": { ja: "8 ステップ蒸留", ko: "8스텝 증류", zh: "8 步蒸馏" },
};

const label = (value) => {
  const said = CHOICES[value]?.[language()];
  return said ? `${said} (${value})` : String(value ?? "");
};

export function nameChoices(node) {
  for (const { options } of node.widgets ?? []) {
    const values = Array.isArray(options?.values) ? options.values : [];
    if (values.some((value) => label(value) !== value)) options.getOptionLabel = label;
  }
}
