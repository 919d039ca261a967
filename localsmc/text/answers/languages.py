"""The words with which texts state answers, in the languages that models write most.

All words are in lower case; those of one kind are parted by bars.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """The words of one language, or of several that share them."""

    answers: str
    """Nouns for the answer."""
    results: str = ""
    """Nouns for a result, which may also be one on the way to the answer."""
    options: str = ""
    """Nouns for one of several answers to choose from; they need an adjective that says that it is right."""
    adjectives: str = ""
    """Words around the noun that leave it what it is; of an option they say that it is right."""
    verbs: str = ""
    """What joins the noun to the value; none is needed where the value follows at once, or after a colon."""
    denials: str = ""
    """What denies the statement, directly before or after the verb."""
    linkers: str = ""
    """First words of what may stand between noun and verb: "to the question", "we are looking for"."""
    reasons: str = ""
    """Words that end the value and begin its reason, or another clause."""
    is_spaced: bool = True
    """Whether spaces part its words."""


LANGUAGES = (
    Language(
        answers="answer|answr|ans",
        results="result|total|sum|solution|difference|product|quotient|remainder",
        options="option|choice|alternative",
        adjectives="final|correct|right|best|true|exact|numerical|numeric|actual|only|simplified|choice"
        "|option|key",
        verbs="is equal to|is equals to|would be equal to|works out to be|works out to|turns out to be"
        "|comes to|comes out to be|comes out to|amounts to|ends up being|should be|should then be|would be"
        "|would then be|will be|will then be|must be|must then be|has to be|shall be"
        "|is going to be|is|are|was|equals|equal to|becomes|'s|’s",
        denials="not|n't|n’t|never|neither|nor|no longer|hardly",
        linkers="to|of|for|in|from|with|when|after|that|which|we|you|i|he|she|they|on|by|at|as|here|then"
        "|therefore|thus|now|hence|number|amount|cost|price|value|given|obtained|rounded|expressed|written|found"
        "|set|you're|we're|you'd|so far|if",
        reasons="because|since|given that|due to|thus|therefore|hence|so|but|whereas|although|though|while"
        "|when|if|unless|meaning|according to|based on|not|which|where",
    ),
    Language(
        answers="antwort|endantwort",
        results="ergebnis|endergebnis|lösung|summe|gesamtsumme|gesamtzahl",
        options="option|auswahl",
        adjectives="richtige|korrekte|endgültige|finale",
        verbs="ist gleich|ist|lautet|wäre|wird|beträgt|sind|ist also|ist daher|lautet also|lautet daher",
        denials="nicht|kein|keine|keinesfalls|nie",
        linkers="auf|zu|zur|zum|der|des|für|von|im|in|also|daher",
        reasons="weil|denn|sodass|da wir|da es|da die|aber|nicht",
    ),
    Language(
        answers="réponse|reponse",
        results="résultat|solution|somme|total",
        options="option|proposition",
        adjectives="finale|bonne|correcte|exacte|juste",
        verbs="est égale à|est égal à|est de|est d'|est donc|est|serait|sera|vaut",
        denials="pas|ne|n'est|n’est",
        linkers="à|a|de|du|des|pour|dans|aux|au|donc",
        reasons="car|parce que|puisque|donc|mais|étant donné",
    ),
    Language(
        answers="respuesta",
        results="resultado|solución|solucion|suma|total",
        options="opción|opcion|alternativa",
        adjectives="final|correcta|correcto|exacta|definitiva",
        verbs="es igual a|es|sería|será|seria|son|es entonces|sería entonces",
        denials="no|nunca",
        linkers="a|de|del|para|al|por",
        reasons="porque|ya que|puesto que|dado que|pues|pero|debido a",
    ),
    Language(
        answers="risposta",
        results="risultato|soluzione|somma|totale",
        options="opzione|alternativa",
        adjectives="finale|corretta|corretto|esatta|giusta",
        verbs="è uguale a|è quindi|è|e'|sarebbe|sarà",
        denials="non|mai",
        linkers="a|alla|al|di|della|del|per|quindi",
        reasons="perché|perche|poiché|dato che|in quanto|ma",
    ),
    Language(
        answers="resposta",
        results="resultado|solução|soma|total",
        options="opção|alternativa",
        adjectives="final|correta|certa|correto|certo|exata",
        verbs="é igual a|é|seria|será|são|é então",
        denials="não|nunca",
        linkers="a|à|da|do|de|para|ao|dos|das",
        reasons="porque|pois|já que|uma vez que|dado que|mas",
    ),
    Language(
        answers="antwoord|eindantwoord",
        results="resultaat|oplossing|totaal|som",
        options="optie|keuze",
        adjectives="juiste|goede|definitieve|correcte|finale|uiteindelijke",
        verbs="is gelijk aan|is dus|is|luidt|zou zijn|bedraagt|zijn|wordt",
        denials="niet|geen",
        linkers="op|van|voor|in|dus",
        reasons="omdat|want|aangezien|maar|niet",
    ),
    Language(
        answers="svaret|svar|slutsvar|vastaus",
        results="resultatet|resultat|summan|summen|tulos",
        adjectives="rätta|rätt|riktiga|riktige|korrekte|oikea|lopullinen|slutliga|endelige",
        verbs="är|er|blir|bliver|on",
        denials="inte|ikke|ei",
        linkers="på|til|till",
        reasons="eftersom|fordi|koska|men|därför att",
    ),
    Language(
        answers="odpowiedź|odpowiedzią|odpověď|odpoveď|răspuns|răspunsul|válasz|απάντηση",
        results="wynik|rozwiązanie|výsledek|výsledok|rezultat|rezultatul|eredmény|αποτέλεσμα",
        adjectives="prawidłowa|poprawna|końcowa|ostateczna|správná|správna|konečná|corect|final|helyes|σωστή|τελική",
        verbs="to jest|to|jest|brzmi|wynosi|je|zní|znie|este|e|az|είναι",
        denials="nie|není|nu|nem|δεν",
        linkers="na|la|στην|στο",
        reasons="ponieważ|bo|gdyż|protože|pretože|deoarece|pentru că|mert|γιατί|επειδή|διότι",
    ),
    Language(
        answers="ответ|ответом|відповідь",
        results="результат|итого|итог|решение|сумма|розв'язок",
        options="вариант|вариант ответа",
        adjectives="правильный|верный|окончательный|итоговый|правильна|остаточна|правильным",
        verbs="равен|равна|равно|будет|это|является|є|дорівнює|—|–|-",
        denials="не|нe",
        linkers="на|к|для|в",
        reasons="потому что|так как|поскольку|ведь|тому що|оскільки|а не",
    ),
    Language(
        answers="cevap|cevabı|cevabımız|yanıt|yanıtı|jawaban|jawabannya|jawapan",
        results="sonuç|toplam|hasil|hasilnya",
        adjectives="doğru|kesin|son|akhir|benar|yang benar|yang tepat",
        verbs="adalah|ialah|yaitu",
        denials="bukan|bukanlah|tidak",
        linkers="dari|untuk|yang",
        reasons="çünkü|karena|sebab|kerana",
    ),
    Language(
        answers="đáp án|câu trả lời|đáp số|الإجابة|الاجابة|الجواب|תשובה|התשובה|उत्तर|जवाब",
        results="kết quả|النتيجة|परिणाम",
        adjectives="đúng|cuối cùng|chính xác|الصحيحة|الصحيح|النهائية|النهائي|הנכונה|הסופית|सही|अंतिम",
        verbs="là|هو|هي|תהיה|היא|הוא|है",
        denials="không phải|không|ليس|ليست|לא|אינה",
        linkers="cho|của|bài|على|عن|לשאלה",
        reasons="vì|bởi vì|لأن|כי|क्योंकि",
    ),
    Language(
        answers="答案|答え|回答|解答|正解|정답|답변|해답|정답은|답",
        results="结果|結果|总和|总数|總數|一共|합계|결과",
        options="选项|選項|選択肢",
        adjectives="正确|正確|最终|最終|正しい|최종|应该|應該|应当|就",
        verbs="应该是|應該是|应为|應為|就是|便是|等于|等於|是|为|為|は|が|은|는|이|가",
        denials="不|并不|並不|并非|並非|不是",
        linkers="的",
        reasons="因为|因為|所以|由于|由於|なぜなら|왜냐하면",
        is_spaced=False,
    ),
)

DENIED_ENDS = (
    "ではありません|ではない|じゃない|でない|じゃありません|가 아닙니다|이 아닙니다|아닙니다"
    "|이 아니다|가 아니다|아니다|아니에요|입니까|인가요"
    "|ですか|ますか|でしょうか|吗|嗎|değil|değildir|नहीं है|नहीं"
)
"""What denies a statement, or asks for it, behind its value."""

COPULAS = (
    "になります|となります|であります|である|でした|です|だった|とする|とします|だ|입니다|이다|이에요|예요|이야|है"
    "|'tir|'tır|'dir|'dır|'dur|'dür|'tur|'tür|’tir|’tır|’dir|’dır|’dur|’dür|’tur|’tür"
)
"""Verbs behind the value."""

WRONG = (
    "wrong|incorrect|false|previous|other|another|original|initial|old|common|bad|tempting|naive|partial"
    "|intermediate|possible|falsche|falsches|mauvaise|fausse|incorrecta|sbagliata|errada|incorreta|foute"
    "|verkeerde|неправильный|неверный|错误|錯誤|間違った|不正确"
)
"""Adjectives of an answer that is not the one."""
