//! What refusals say, in every language.
//!
//! Whoever refuses says why in English, with the names and numbers of the case. The sentence is found here again by its
//! words, and said in the language of the request with the same names and numbers. What is not among them stays English:
//! it comes from the command line, from files of the user's own or from the system. A test holds the list together with
//! what is said in the sources.

use outlook::wording::{Language, Words};

/// The sentences, with places for what differs from case to case.
#[rustfmt::skip]
const SENTENCES: &[Words] = &[
    // Whoever may not.
    Words::fixed(
        "this token states {facts}, and not {kind}; take one that may, or have one made",
        "此令牌只能写入 {facts}，不能写入 {kind}；请换用有权限的令牌，或请人新建一个",
        "ce jeton énonce {facts}, et non {kind} ; prenez-en un qui le peut, ou faites-en créer un",
    ),
    Words::fixed(
        "this token does not hold (any more); make a new one in the settings",
        "此令牌无效或已失效；请在设置中新建一个",
        "ce jeton ne vaut pas, ou ne vaut plus ; créez-en un dans les réglages",
    ),
    Words::fixed(
        "this request comes from a page of somebody else; use the pages of this server, or a token",
        "此请求来自其他网站的页面；请使用本服务器的页面，或使用令牌",
        "cette requête vient de la page d’un autre ; utilisez les pages de ce serveur, ou un jeton",
    ),
    Words::fixed(
        "a follow-up names a customer, an owner in up to 400 bytes, and has up to 20000 bytes of words",
        "跟进记录须写明一位客户，负责人不超过 400 字节，文字不超过 20000 字节",
        "un suivi nomme un client, un responsable en 400 octets au plus, et compte au plus 20000 octets de texte",
    ),
    Words::fixed("the request took too long; send it again", "请求用时过长；请重新发送", "la requête a duré trop longtemps ; renvoyez-la"),
    Words::fixed(
        "this needs the role {needed}, and yours is {own}; ask an owner",
        "此操作需要角色 {needed}，而您的角色是 {own}；请联系所有者",
        "ceci demande le rôle {needed}, et le vôtre est {own} ; demandez à un propriétaire",
    ),
    Words::fixed(
        "nobody is set up yet; open the address that the server wrote when it started, and choose a password",
        "尚未设置任何用户；请打开服务器启动时写出的地址，并设定密码",
        "personne n’est encore inscrit ; ouvrez l’adresse que le serveur a écrite à son démarrage, et choisissez un mot de passe",
    ),
    Words::fixed(
        "this needs a login; log in with POST /api/v1/login",
        "此操作需要登录；请用 POST /api/v1/login 登录",
        "ceci demande une connexion ; connectez-vous avec POST /api/v1/login",
    ),
    Words::fixed(
        "this server is not reached under that name; use its address, or start it with --host NAME",
        "不能用该名称访问此服务器；请使用其地址，或以 --host NAME 启动",
        "on n’atteint pas ce serveur sous ce nom ; utilisez son adresse, ou démarrez-le avec --host NOM",
    ),
    Words::fixed("there is no role `{role}`; it is one of owner, editor, viewer", "没有角色 `{role}`；可选 owner、editor、viewer", "il n’y a pas de rôle `{role}` ; c’est owner, editor ou viewer"),
    Words::fixed(
        "this is not the token that the server wrote when it started; take the newest",
        "这不是服务器启动时写出的令牌；请使用最新的一个",
        "ce n’est pas le jeton que le serveur a écrit à son démarrage ; prenez le plus récent",
    ),
    Words::fixed("somebody is set up already; log in", "已经有用户；请登录", "quelqu’un est déjà inscrit ; connectez-vous"),
    Words::fixed("too many attempts failed; wait {minutes} minutes", "失败次数过多；请等待 {minutes} 分钟", "trop d’essais ont échoué ; attendez {minutes} minutes"),
    Words::fixed("the name or the password is wrong; try again", "名称或密码不正确；请重试", "le nom ou le mot de passe est faux ; réessayez"),
    Words::fixed("only who is logged in has a password; log in", "只有登录者才有密码；请登录", "seul qui est connecté a un mot de passe ; connectez-vous"),
    Words::fixed("the old password is wrong; try again", "旧密码不正确；请重试", "l’ancien mot de passe est faux ; réessayez"),
    Words::fixed("a name has from 1 to 200 characters", "名称须为 1 到 200 个字符", "un nom a de 1 à 200 caractères"),
    Words::fixed("there is no such user", "没有这个用户", "il n’y a pas un tel utilisateur"),
    Words::fixed(
        "only a token that imports is limited to kinds of facts; leave out `facts`, or choose ingest",
        "只有用于导入的令牌才能限定事实种类；请去掉 `facts`，或选择 ingest",
        "seul un jeton qui importe se limite à des sortes de faits ; laissez `facts`, ou choisissez ingest",
    ),
    Words::fixed("there is no kind of facts `{kind}`; it is one of {known}", "没有事实种类 `{kind}`；可选 {known}", "il n’y a pas de sorte de faits `{kind}` ; c’est l’une de {known}"),
    Words::fixed(
        "a token that may state no kind of facts is of no use; name one, or leave out `facts`",
        "不能写入任何事实的令牌没有用处；请指定一种，或去掉 `facts`",
        "un jeton qui ne peut énoncer aucune sorte de faits est inutile ; nommez-en une, ou laissez `facts`",
    ),
    Words::fixed("there is nothing to revoke", "没有可撤销的内容", "il n’y a rien à révoquer"),
    Words::fixed("a token is of the kind ingest or read; choose one of them", "令牌的种类为 ingest 或 read；请选择其一", "un jeton est de la sorte ingest ou read ; choisissez-en une"),
    Words::fixed(
        "this link does not hold (any more); ask whoever sent it for a new one",
        "此链接无效或已失效；请向发送者索取新的链接",
        "ce lien ne vaut pas, ou ne vaut plus ; demandez-en un nouveau à qui l’a envoyé",
    ),
    Words::fixed("there is somebody of that name already; choose another name", "已有同名用户；请换一个名称", "quelqu’un porte déjà ce nom ; choisissez-en un autre"),
    Words::fixed("this is the last owner; make somebody else an owner first", "这是最后一位所有者；请先让其他人成为所有者", "c’est le dernier propriétaire ; faites d’abord de quelqu’un d’autre un propriétaire"),
    Words::fixed("this password cannot be used; choose another one", "此密码不能使用；请换一个", "ce mot de passe ne peut servir ; choisissez-en un autre"),
    Words::fixed("the password has fewer than 10 characters; take a longer one", "密码少于 10 个字符；请用更长的密码", "le mot de passe a moins de 10 caractères ; prenez-en un plus long"),
    Words::fixed("the password is longer than 1024 bytes; take a shorter one", "密码超过 1024 字节；请用更短的密码", "le mot de passe dépasse 1024 octets ; prenez-en un plus court"),
    Words::fixed(
        "this password is among the first that are tried; choose another one",
        "此密码属于最先被尝试的密码；请换一个",
        "ce mot de passe est parmi les premiers que l’on essaie ; choisissez-en un autre",
    ),
    // What a shared link does not show.
    Words::fixed("a shared link does not show `{name}`; it shows {shown}", "共享链接不显示 `{name}`；可显示 {shown}", "un lien partagé ne montre pas `{name}` ; il montre {shown}"),
    // What cannot be answered now.
    Words::fixed(
        "the answer could not be made; what went wrong stands in the log of the server",
        "无法给出答案；出错原因写在服务器的日志中",
        "la réponse n’a pu être faite ; ce qui a échoué est dans le journal du serveur",
    ),
    Words::fixed("more is asked than can be answered at a time; ask again in a second", "同时提出的问题过多；请稍后一秒再问", "on demande plus qu’il ne peut être répondu à la fois ; redemandez dans une seconde"),
    Words::fixed("the answer is still being worked out; ask again in some seconds", "答案仍在计算；请几秒后再问", "la réponse est encore en calcul ; redemandez dans quelques secondes"),
    Words::fixed("more facts arrive than can be written; send them again in a second, nothing of this request was taken", "到达的事实多于可写入的数量；请一秒后重发，此请求的内容均未采用", "il arrive plus de faits qu’il ne peut être écrit ; renvoyez-les dans une seconde, rien de cette requête n’a été pris"),
    Words::fixed(
        "another program writes to the data folder; send it again when it is done, nothing of this request was taken",
        "另一程序正在写入数据文件夹；请在其完成后重发，此请求的内容均未采用",
        "un autre programme écrit dans le dossier de données ; renvoyez quand il aura fini, rien de cette requête n’a été pris",
    ),
    Words::fixed("the disk is full, and nothing of this request was taken; make room and send it again", "磁盘已满，此请求的内容均未采用；请腾出空间后重发", "le disque est plein, et rien de cette requête n’a été pris ; faites de la place et renvoyez"),
    Words::fixed("the disk is full; make room and try again", "磁盘已满；请腾出空间后重试", "le disque est plein ; faites de la place et réessayez"),
    Words::fixed(
        "a write to the disk failed, and nothing is taken any more ({reason}); look after the disk and restart the server, what was acknowledged is there",
        "写入磁盘失败，不再接受任何内容（{reason}）；请检查磁盘并重启服务器，已确认的内容都在",
        "une écriture sur le disque a échoué, et plus rien n’est pris ({reason}) ; occupez-vous du disque et redémarrez le serveur, ce qui fut confirmé est là",
    ),
    Words::fixed(
        "process {process} is writing to {folder}, and only one may. Wait until it is done, or stop it, and try again; reading goes on meanwhile",
        "进程 {process} 正在写入 {folder}，同时只能有一个。请等待其完成或将其停止后重试；期间仍可读取",
        "le processus {process} écrit dans {folder}, et un seul le peut. Attendez qu’il ait fini, ou arrêtez-le, et réessayez ; la lecture continue pendant ce temps",
    ),
    Words::fixed("this Idempotency-Key was used for another body; take a new key for a new body", "此 Idempotency-Key 已用于另一内容；新的内容请用新的键", "cette Idempotency-Key a servi pour un autre corps ; prenez une nouvelle clé pour un nouveau corps"),
    // What there is not.
    Words::fixed("there is no such route; /api/v1/openapi.json describes those that there are", "没有此路径；现有路径见 /api/v1/openapi.json", "il n’y a pas une telle route ; /api/v1/openapi.json décrit celles qu’il y a"),
    Words::fixed("this route does not know the method {method}; the header `allow` names those that it knows", "此路径不支持方法 {method}；标头 `allow` 列出所支持的方法", "cette route ne connaît pas la méthode {method} ; l’en-tête `allow` nomme celles qu’elle connaît"),
    Words::fixed("no fact is about a customer `{customer}`", "没有关于客户 `{customer}` 的事实", "aucun fait ne concerne un client `{customer}`"),
    Words::fixed("{kind} name no customer; leave `customer` out", "{kind} 不指明客户；请去掉 `customer`", "{kind} ne nomme pas de client ; laissez `customer`"),
    Words::fixed(
        "there are too many {kind} to list them all over the web; ask for those of one customer, or use `recurve export {same}`",
        "{kind} 过多，无法通过网络全部列出；请只查询一位客户的，或使用 `recurve export {same}`",
        "il y a trop de {kind} pour tout lister par le web ; demandez ceux d’un client, ou utilisez `recurve export {same}`",
    ),
    Words::fixed("there is no such note; it may have been withdrawn", "没有这条备注；它可能已被撤回", "il n’y a pas une telle note ; elle fut peut-être retirée"),
    Words::fixed("several sources have a note of this id ({sources}); say which with `source`", "多个来源都有此编号的备注（{sources}）；请用 `source` 指明", "plusieurs sources ont une note de cet identifiant ({sources}) ; dites laquelle avec `source`"),
    Words::fixed("there is no such thing to forget", "没有可删除的内容", "il n’y a rien de tel à oublier"),
    Words::fixed("there is no such upload (any more); upload the file again", "没有此上传文件，或已过期；请重新上传", "il n’y a pas, ou plus, un tel envoi ; envoyez à nouveau le fichier"),
    Words::fixed(
        "there is no such import since the server started; /api/v1/sources lists all that are done",
        "服务器启动以来没有此导入；/api/v1/sources 列出所有已完成的导入",
        "il n’y a pas un tel import depuis le démarrage du serveur ; /api/v1/sources liste tous ceux qui sont faits",
    ),
    Words::fixed("a month is not asked `{question}`; its questions are {known}", "月度问题中没有 `{question}`；问题为 {known}", "on ne demande pas `{question}` à un mois ; ses questions sont {known}"),
    Words::fixed("there is no policy `{policy}`; there are {known}", "没有口径 `{policy}`；现有 {known}", "il n’y a pas de règles `{policy}` ; il y a {known}"),
    Words::fixed("`{policy}` is no name of a policy", "`{policy}` 不是口径的名称", "`{policy}` n’est pas un nom de règles"),
    Words::fixed("there is no column `{column}`; there are {known}", "没有列 `{column}`；现有 {known}", "il n’y a pas de colonne `{column}` ; il y a {known}"),
    Words::fixed("there is no metric `{metric}`: did you mean {near}?", "没有指标 `{metric}`：您是否指 {near}？", "il n’y a pas de mesure `{metric}` : vouliez-vous dire {near} ?"),
    Words::fixed("there is no metric `{metric}`: docs/metrics.md lists them all", "没有指标 `{metric}`：docs/metrics.md 列出全部指标", "il n’y a pas de mesure `{metric}` : docs/metrics.md les liste toutes"),
    Words::fixed("metric `{metric}` has no variant `{variant}`: {has}", "指标 `{metric}` 没有变体 `{variant}`：{has}", "la mesure `{metric}` n’a pas de variante `{variant}` : {has}"),
    Words::fixed(
        "there is no dimension `{dimension}`: it is none of {known}, cohort, segment and customer, and no customer has an attribute of that name; import it with `recurve import customers FILE` (a column `{same}`)",
        "没有维度 `{dimension}`：它不是 {known}、cohort、segment、customer 之一，也没有客户具有同名属性；请用 `recurve import customers FILE` 导入（列 `{same}`）",
        "il n’y a pas de dimension `{dimension}` : ce n’est aucune de {known}, cohort, segment et customer, et aucun client n’a d’attribut de ce nom ; importez-le avec `recurve import customers FICHIER` (une colonne `{same}`)",
    ),
    Words::fixed(
        "{segments} segments over {windows} periods are more than one answer holds; ask for fewer periods, another dimension, or filter with --where",
        "{segments} 个分组乘以 {windows} 个期间，超出一次回答的容量；请减少期间、换一个维度，或用 --where 筛选",
        "{segments} segments sur {windows} périodes dépassent ce que tient une réponse ; demandez moins de périodes, une autre dimension, ou filtrez avec --where",
    ),
    Words::fixed(
        "the facts are in several currencies ({currencies}), so say in which to report: --currency {first}, or once for all with `recurve init --currency {same}`",
        "事实使用多种货币（{currencies}），请指定报告货币：--currency {first}，或用 `recurve init --currency {same}` 一次设定",
        "les faits sont en plusieurs devises ({currencies}), dites donc dans laquelle rendre compte : --currency {first}, ou une fois pour toutes avec `recurve init --currency {same}`",
    ),
    Words::fixed(
        "{count} customers need exchange rates that are not known, the first: {from} to {to} on or before {day} (customer `{customer}`); import them with `recurve import fx-rates FILE` (columns day, base, quote, rate), or report in {other} with --currency {same}",
        "{count} 位客户需要未知的汇率，首个为：{day} 或之前的 {from} 兑 {to}（客户 `{customer}`）；请用 `recurve import fx-rates FILE` 导入（列 day、base、quote、rate），或以 --currency {same} 用 {other} 报告",
        "{count} clients demandent des taux de change qui ne sont pas connus, le premier : {from} en {to} au plus tard le {day} (client `{customer}`) ; importez-les avec `recurve import fx-rates FICHIER` (colonnes day, base, quote, rate), ou rendez compte en {other} avec --currency {same}",
    ),
    // What is asked in a way that cannot be read.
    Words::fixed("there is no parameter `{name}` here; there are {known}", "这里没有参数 `{name}`；现有 {known}", "il n’y a pas de paramètre `{name}` ici ; il y a {known}"),
    Words::fixed("there is no parameter `{name}`; there are source, wait", "没有参数 `{name}`；现有 source、wait", "il n’y a pas de paramètre `{name}` ; il y a source et wait"),
    Words::fixed("`{name}` is true or false, not `{other}`", "`{name}` 为 true 或 false，不能是 `{other}`", "`{name}` est true ou false, et non `{other}`"),
    Words::fixed("`wait` is true or false, not `{other}`", "`wait` 为 true 或 false，不能是 `{other}`", "`wait` est true ou false, et non `{other}`"),
    Words::fixed("the query cannot be read: {error}", "无法读取查询参数：{error}", "la requête ne peut être lue : {error}"),
    Words::fixed("`limit` is from 1 to {most}", "`limit` 须为 1 到 {most}", "`limit` va de 1 à {most}"),
    Words::fixed("a sorted list is paged through up to row {deepest}; filter it", "排序后的列表最多可翻到第 {deepest} 行；请加筛选", "une liste triée se parcourt jusqu’à la ligne {deepest} ; filtrez-la"),
    Words::fixed("`{text}` is no day; write it as 2024-01-31", "`{text}` 不是日期；请写作 2024-01-31", "`{text}` n’est pas un jour ; écrivez-le 2024-01-31"),
    Words::fixed("--{option} {text} is no day; write it as 2024-01-31 (or 2024-01, or 2024)", "--{option} {text} 不是日期；请写作 2024-01-31（或 2024-01、2024）", "--{option} {text} n’est pas un jour ; écrivez-le 2024-01-31 (ou 2024-01, ou 2024)"),
    Words::fixed("--{option} {text} is neither a date (2024-07-01) nor an instant (2024-07-01T10:00:00Z)", "--{option} {text} 既不是日期（2024-07-01），也不是时刻（2024-07-01T10:00:00Z）", "--{option} {text} n’est ni une date (2024-07-01) ni un instant (2024-07-01T10:00:00Z)"),
    Words::fixed("--from {from} is not before --to {to}, so there is no period", "--from {from} 不早于 --to {to}，因此没有期间", "--from {from} n’est pas avant --to {to}, il n’y a donc pas de période"),
    Words::fixed("--where {text} is no condition; write DIM=VALUE, such as plan=team", "--where {text} 不是条件；请写作 维度=值，例如 plan=team", "--where {text} n’est pas une condition ; écrivez DIM=VALEUR, comme plan=team"),
    Words::fixed("--period {text} is no period; write 2024-03, 2024-Q1, 2024, or a day with --grain", "--period {text} 不是期间；请写作 2024-03、2024-Q1、2024，或带 --grain 的日期", "--period {text} n’est pas une période ; écrivez 2024-03, 2024-Q1, 2024, ou un jour avec --grain"),
    Words::fixed("--period {period} has not begun", "--period {period} 尚未开始", "--period {period} n’a pas commencé"),
    Words::fixed("--period {text} has not begun; the figures end with {last}", "--period {text} 尚未开始；数据截至 {last}", "--period {text} n’a pas commencé ; les chiffres finissent avec {last}"),
    Words::fixed("--grain is one of day, week, month here", "这里的 --grain 为 day、week、month 之一", "--grain est ici day, week ou month"),
    Words::fixed("--between takes two times", "--between 需要两个时刻", "--between prend deux instants"),
    Words::fixed("--between T1 T2: T1 must be before T2", "--between T1 T2：T1 须早于 T2", "--between T1 T2 : T1 doit être avant T2"),
    Words::fixed("`{code}` is no currency that ISO 4217 lists; use a code such as USD, EUR or JPY", "`{code}` 不是 ISO 4217 中的货币；请使用 USD、EUR、JPY 等代码", "`{code}` n’est pas une devise de la norme ISO 4217 ; utilisez un code comme USD, EUR ou JPY"),
    Words::fixed("`{tag}` is no language that Recurve speaks; use one of {known}", "Recurve 不支持语言 `{tag}`；请使用 {known} 之一", "`{tag}` n’est pas une langue que Recurve parle ; utilisez l’une de {known}"),
    Words::fixed("`{name}` is no time zone; use an IANA name such as Europe/Paris or UTC", "`{name}` 不是时区；请使用 IANA 名称，例如 Europe/Paris 或 UTC", "`{name}` n’est pas un fuseau horaire ; utilisez un nom IANA comme Europe/Paris ou UTC"),
    Words::fixed("`{text}` is no attribution; it is one of {known}", "`{text}` 不是归因方式；可选 {known}", "`{text}` n’est pas une attribution ; c’est l’une de {known}"),
    Words::fixed("`{name}` is no model; the models are best, all, {known}", "`{name}` 不是模型；模型有 best、all、{known}", "`{name}` n’est pas un modèle ; les modèles sont best, all, {known}"),
    Words::fixed("{place}: there is no driver `{name}`; the drivers are churn, {known}", "{place}：没有驱动因素 `{name}`；驱动因素有 churn、{known}", "{place} : il n’y a pas de moteur `{name}` ; les moteurs sont churn, {known}"),
    Words::fixed(
        "{place}: the driver `{name}` cannot be {value}: it lies between {least} and {most} (a share of 3 % is 0.03)",
        "{place}：驱动因素 `{name}` 不能为 {value}：须在 {least} 与 {most} 之间（3 % 写作 0.03）",
        "{place} : le moteur `{name}` ne peut valoir {value} : il est entre {least} et {most} (une part de 3 % s’écrit 0.03)",
    ),
    Words::fixed("{place} is no driver with a number; write --set churn=0.03", "{place} 不是带数值的驱动因素；请写作 --set churn=0.03", "{place} n’est pas un moteur avec un nombre ; écrivez --set churn=0.03"),
    Words::fixed("`{text}` is no level; levels are in per cent, between 0 and 100, such as 80,95", "`{text}` 不是水平；水平为 0 到 100 之间的百分数，例如 80,95", "`{text}` n’est pas un niveau ; les niveaux sont en pour cent, entre 0 et 100, comme 80,95"),
    Words::fixed("a funnel has {most} steps at the most", "漏斗最多有 {most} 步", "un entonnoir a au plus {most} étapes"),
    Words::fixed("nothing is named `{name}`: it is no stage ({stages}), and the facts name {known}", "没有名为 `{name}` 的内容：它不是阶段（{stages}），事实中有 {known}", "rien ne s’appelle `{name}` : ce n’est pas une étape ({stages}), et les faits nomment {known}"),
    Words::fixed("invalid value '{value}' for '{option}': {why}", "'{option}' 的值 '{value}' 无效：{why}", "valeur « {value} » invalide pour '{option}' : {why}"),
    Words::fixed("invalid value '{value}' for '{option}' [possible values: {known}]", "'{option}' 的值 '{value}' 无效 [可选：{known}]", "valeur « {value} » invalide pour '{option}' [valeurs possibles : {known}]"),
    Words::fixed("invalid digit found in string", "含有非数字字符", "un caractère n’est pas un chiffre"),
    Words::fixed("the following required arguments were not provided: {names}", "缺少必需的参数：{names}", "il manque des paramètres nécessaires : {names}"),
    Words::fixed("the argument '{one}' cannot be used with '{other}'", "参数 '{one}' 不能与 '{other}' 同时使用", "le paramètre '{one}' ne va pas avec '{other}'"),
    Words::fixed("the argument '{one}' cannot be used multiple times", "参数 '{one}' 不能重复使用", "le paramètre '{one}' ne se répète pas"),
    Words::fixed("it is one of {known}", "可选 {known}", "c’est l’un de {known}"),
    Words::fixed("the request cannot be read: {error}; send it as /api/v1/openapi.json describes it", "无法读取请求：{error}；请按 /api/v1/openapi.json 的说明发送", "la requête ne peut être lue : {error} ; envoyez-la comme la décrit /api/v1/openapi.json"),
    // Facts and files that are sent.
    Words::fixed("a body of {media} cannot be read; send application/json or application/x-ndjson", "无法读取 {media} 的内容；请发送 application/json 或 application/x-ndjson", "un corps de {media} ne peut être lu ; envoyez application/json ou application/x-ndjson"),
    Words::fixed("the Idempotency-Key is no text of 1 to 255 characters; take a random one", "Idempotency-Key 须为 1 到 255 个字符；请使用随机值", "l’Idempotency-Key n’est pas un texte de 1 à 255 caractères ; prenez-en une au hasard"),
    Words::fixed("a request has at most 8 MiB; send the facts in several requests, or import them as a file", "一个请求最多 8 MiB；请分几次发送，或作为文件导入", "une requête a au plus 8 Mio ; envoyez les faits en plusieurs requêtes, ou importez-les d’un fichier"),
    Words::fixed("a request of this kind has at most {most} KiB; send less at a time", "此类请求最多 {most} KiB；请减少每次发送的内容", "une telle requête a au plus {most} Kio ; envoyez moins à la fois"),
    Words::fixed("the body did not arrive within a minute; send it again", "内容未在一分钟内到达；请重新发送", "le corps n’est pas arrivé en une minute ; renvoyez-le"),
    Words::fixed("the body did not arrive whole; send it again", "内容未完整到达；请重新发送", "le corps n’est pas arrivé en entier ; renvoyez-le"),
    Words::fixed("the body is no UTF-8; send it as UTF-8", "内容不是 UTF-8；请以 UTF-8 发送", "le corps n’est pas en UTF-8 ; envoyez-le en UTF-8"),
    Words::fixed("the body cannot be read: {error}; send {\"facts\": [{\"kind\": ...}]}", "无法读取内容：{error}；请发送 {\"facts\": [{\"kind\": ...}]}", "le corps ne peut être lu : {error} ; envoyez {\"facts\": [{\"kind\": ...}]}"),
    Words::fixed("there is no fact in the body; send at least one", "内容中没有事实；请至少发送一条", "il n’y a pas de fait dans le corps ; envoyez-en au moins un"),
    Words::fixed("a request has at most 10,000 rows; send the facts in several requests", "一个请求最多 10,000 行；请分几次发送", "une requête a au plus 10 000 lignes ; envoyez les faits en plusieurs requêtes"),
    Words::fixed("the source is no text of 1 to 100 characters; name it like `crm`", "来源须为 1 到 100 个字符；请取名如 `crm`", "la source n’est pas un texte de 1 à 100 caractères ; nommez-la comme `crm`"),
    Words::fixed("the form cannot be read: {error}", "无法读取表单：{error}", "le formulaire ne peut être lu : {error}"),
    Words::fixed("the part `{part}` is longer than 1 MiB", "部分 `{part}` 超过 1 MiB", "la partie `{part}` dépasse 1 Mio"),
    Words::fixed("the file is larger than 4 GiB; import it with `recurve import`, or in parts", "文件大于 4 GiB；请用 `recurve import` 导入，或分成几部分", "le fichier dépasse 4 Gio ; importez-le avec `recurve import`, ou en plusieurs parties"),
    Words::fixed("the name of the file does not say which kind of facts it holds; say one of {known}", "文件名未说明其事实种类；请指定 {known} 之一", "le nom du fichier ne dit pas quelle sorte de faits il contient ; dites l’une de {known}"),
    Words::fixed("`{name}` is no JSON object of texts: {error}", "`{name}` 不是由文本组成的 JSON 对象：{error}", "`{name}` n’est pas un objet JSON de textes : {error}"),
    Words::fixed("there is no part `{part}`; there are file, upload, {known}", "没有部分 `{part}`；现有 file、upload、{known}", "il n’y a pas de partie `{part}` ; il y a file, upload, {known}"),
    Words::fixed("there is no file; send it as the part `file`", "没有文件；请以部分 `file` 发送", "il n’y a pas de fichier ; envoyez-le comme partie `file`"),
    // What is kept.
    Words::fixed("a note has from 1 to 20000 bytes of words", "备注的文字须为 1 到 20000 字节", "une note a de 1 à 20000 octets de texte"),
    Words::fixed("a title is said with the words below it; send `words` too", "标题须与其下的文字一并发送；请同时发送 `words`", "un titre se dit avec le texte qui le suit ; envoyez aussi `words`"),
    Words::fixed("an answer has from 1 to 20000 bytes of words; to take it back, delete it", "回答的文字须为 1 到 20000 字节；要撤回请删除", "une réponse a de 1 à 20000 octets de texte ; pour la retirer, supprimez-la"),
    Words::fixed("a view has a name and an address of this app that begins with one slash", "视图须有名称和以一个斜杠开头的本应用地址", "une vue a un nom et une adresse de cette application qui commence par une barre"),
    Words::fixed("a hundred messages wait for this channel already; look at the delivery log", "此渠道已有一百条消息等待；请查看发送记录", "cent messages attendent déjà pour ce canal ; voyez le journal des envois"),
    // Months that are closed, targets.
    Words::fixed("{month} is not over: a month is closed after its last day", "{month} 尚未结束：月份在最后一天之后才能关账", "{month} n’est pas fini : un mois se clôt après son dernier jour"),
    Words::fixed("{month} was closed by {who} at {at}; `recurve close {same} --reopen` takes that back", "{month} 已由 {who} 于 {at} 关账；可重新打开该月（`recurve close {same} --reopen`）", "{month} fut clos par {who} à {at} ; `recurve close {same} --reopen` y revient"),
    Words::fixed("{month} is not closed, so there is nothing to reopen", "{month} 未关账，无需重新打开", "{month} n’est pas clos, il n’y a donc rien à rouvrir"),
    Words::fixed("the close of {month} cannot be read: remove it with `recurve close {same} --reopen`", "无法读取 {month} 的关账：请用 `recurve close {same} --reopen` 移除", "la clôture de {month} ne peut être lue : retirez-la avec `recurve close {same} --reopen`"),
    Words::fixed("`{text}` is no number; write 15000 or 5%", "`{text}` 不是数字；请写作 15000 或 5%", "`{text}` n’est pas un nombre ; écrivez 15000 ou 5%"),
    Words::fixed("--by {by} is not after --from {from}, so there is no way to go", "--by {by} 不晚于 --from {from}，因此没有可走的路程", "--by {by} n’est pas après --from {from}, il n’y a donc pas de chemin"),
    Words::fixed(
        "there is no target `{target}` that was set with `recurve target add`; those of the playbook are taken away with `product_targets = false` in a playbook.toml of your own",
        "没有由您设定的目标 `{target}`；产品自带的目标可在您自己的 playbook.toml 中用 `product_targets = false` 去掉",
        "il n’y a pas d’objectif `{target}` qui fut fixé avec `recurve target add` ; ceux du produit se retirent avec `product_targets = false` dans un playbook.toml à vous",
    ),
    Words::fixed("the target `{target}` cannot be read: remove it with `recurve target remove {same}`", "无法读取目标 `{target}`：请用 `recurve target remove {same}` 移除", "l’objectif `{target}` ne peut être lu : retirez-le avec `recurve target remove {same}`"),
    // What is missing for a question.
    Words::fixed(
        "no balance is known at the end of the last full month; import balances with `recurve import cash-balances FILE`",
        "上一个完整月末的余额未知；请用 `recurve import cash-balances FILE` 导入余额",
        "aucun solde n’est connu à la fin du dernier mois complet ; importez des soldes avec `recurve import cash-balances FICHIER`",
    ),
    Words::fixed(
        "health is judged by what customers do in the product, and no product events are known; import them with `recurve import events FILE`",
        "健康度依据客户在产品中的行为，而目前没有产品事件；请用 `recurve import events FILE` 导入",
        "la santé se juge à ce que les clients font dans le produit, et aucun événement n’est connu ; importez-les avec `recurve import events FICHIER`",
    ),
    Words::fixed(
        "list prices are facts about plans, and none are known; import them with `recurve import plans FILE` (columns plan, currency, interval, amount)",
        "标价是关于套餐的事实，目前没有；请用 `recurve import plans FILE` 导入（列 plan、currency、interval、amount）",
        "les prix affichés sont des faits sur les offres, et aucun n’est connu ; importez-les avec `recurve import plans FICHIER` (colonnes plan, currency, interval, amount)",
    ),
    Words::fixed(
        "no experiments are known; import who saw which arm with `recurve import experiments FILE` (columns experiment, customer, arm, assigned, and control where it is known)",
        "没有任何试验；请用 `recurve import experiments FILE` 导入谁看到了哪个版本（列 experiment、customer、arm、assigned，以及已知的 control）",
        "aucun test n’est connu ; importez qui a vu quelle version avec `recurve import experiments FICHIER` (colonnes experiment, customer, arm, assigned, et control s’il est connu)",
    ),
    Words::fixed("there is no experiment `{name}`; known are: {known}", "没有试验 `{name}`；已知的有：{known}", "il n’y a pas de test `{name}` ; on connaît : {known}"),
    Words::fixed("no sign-up is known, so there are no cohorts of them: `recurve import signups FILE` brings them in", "没有任何注册，因此没有注册的同期群：请用 `recurve import signups FILE` 导入", "aucune inscription n’est connue, il n’y en a donc pas de cohortes : `recurve import signups FICHIER` les apporte"),
    Words::fixed("there is no stage `{stage}`; it is one of {known}", "没有阶段 `{stage}`；可选 {known}", "il n’y a pas d’étape `{stage}` ; c’est l’une de {known}"),
    Words::fixed("there is no lead `{lead}` by then; `recurve leads --at D` lists those that there are", "到那时没有线索 `{lead}`；`recurve leads --at D` 列出现有线索", "il n’y a pas de prospect `{lead}` à cette date ; `recurve leads --at D` liste ceux qu’il y a"),
    // Rules of alerts and their channels.
    Words::fixed("`{text}` is no name here; use 1 to 60 small letters, digits and hyphens", "`{text}` 不能用作名称；请使用 1 到 60 个小写字母、数字和连字符", "`{text}` n’est pas un nom ici ; utilisez de 1 à 60 minuscules, chiffres et tirets"),
    Words::fixed("`{text}` is no grain; {words}", "`{text}` 不是期间长度；{words}", "`{text}` n’est pas une période ; {words}"),
    Words::fixed("`{text}` is no number; write 10000, 5% or -10%", "`{text}` 不是数字；请写作 10000、5% 或 -10%", "`{text}` n’est pas un nombre ; écrivez 10000, 5% ou -10%"),
    Words::fixed("a rule watches something", "规则须监视某项内容", "une règle surveille quelque chose"),
    Words::fixed("a rule watches one thing; name one of a metric, a signal, a target or a condition", "一条规则只监视一项；请在指标、信号、目标、条件中指定一个", "une règle surveille une chose ; nommez une mesure, un signal, un objectif ou une condition"),
    Words::fixed(
        "a signal, a target and a condition are judged by full months; limits, filters and other periods go with a metric",
        "信号、目标和条件按完整月份判断；界限、筛选和其他期间只用于指标",
        "un signal, un objectif et une condition se jugent par mois entiers ; limites, filtres et autres périodes vont avec une mesure",
    ),
    Words::fixed("what is off is found without a limit; leave limits, filters and open periods out", "异常无需界限即可发现；请去掉界限、筛选和未结束的期间", "les anomalies se trouvent sans limite ; laissez limites, filtres et périodes ouvertes"),
    Words::fixed("what is off is looked for by day, week or month", "异常按日、周或月查找", "les anomalies se cherchent par jour, semaine ou mois"),
    Words::fixed("say either below or above which a metric fires; or that anomalies are watched", "请说明指标低于还是高于多少时触发；或改为监视异常", "dites au-dessous ou au-dessus de quoi une mesure se déclenche ; ou que l’on surveille les anomalies"),
    Words::fixed("`{other}` is none of value, period_before, year_ago", "`{other}` 不是 value、period_before、year_ago 之一", "`{other}` n’est ni value, ni period_before, ni year_ago"),
    Words::fixed("the slack is not below zero, and a rule waits for 1 to 60 periods running", "余量不能小于零，规则等待连续 1 到 60 个期间", "la marge n’est pas négative, et une règle attend de 1 à 60 périodes de suite"),
    Words::fixed("a period is judged within 744 hours of its end", "期间须在结束后 744 小时内判断", "une période se juge dans les 744 heures de sa fin"),
    Words::fixed("a title has at most 200 bytes, in one line", "标题最多 200 字节，且只有一行", "un titre a au plus 200 octets, sur une ligne"),
    Words::fixed("days and weeks of money are a few large amounts; what is off in them shows by the month", "按日或周的金额只是少数大额；其异常按月才看得出", "des jours et semaines d’argent sont quelques gros montants ; leurs anomalies se voient au mois"),
    Words::fixed("the playbook has no rule `{rule}`; there are {known}", "手册中没有规则 `{rule}`；现有 {known}", "le manuel n’a pas de règle `{rule}` ; il y a {known}"),
    Words::fixed("the playbook has no figure `{figure}`; there are {known}", "手册中没有数据 `{figure}`；现有 {known}", "le manuel n’a pas de chiffre `{figure}` ; il y a {known}"),
    Words::fixed("there is no target `{target}`; there are {known}", "没有目标 `{target}`；现有 {known}", "il n’y a pas d’objectif `{target}` ; il y a {known}"),
    Words::fixed(
        "a secret is given by its name, in small letters, digits, - and _; its value stands in RECURVE_SECRET_NAME or in a file of that name in the folder of --secrets",
        "密钥以名称给出，用小写字母、数字、- 和 _；其值写在 RECURVE_SECRET_NAME 中，或写在 --secrets 文件夹的同名文件中",
        "un secret se donne par son nom, en minuscules, chiffres, - et _ ; sa valeur est dans RECURVE_SECRET_NOM ou dans un fichier de ce nom du dossier de --secrets",
    ),
    Words::fixed("this is no address of e-mail; write name@example.com", "这不是电子邮件地址；请写作 name@example.com", "ce n’est pas une adresse électronique ; écrivez nom@example.com"),
    Words::fixed("a user needs a password; name its secret", "用户需要密码；请给出其密钥名称", "un utilisateur a besoin d’un mot de passe ; nommez son secret"),
    Words::fixed("the address of a Slack webhook is a secret; name it", "Slack webhook 的地址是密钥；请给出其名称", "l’adresse d’un webhook Slack est un secret ; nommez-le"),
    Words::fixed("a webhook is signed; name the secret with its key", "webhook 须签名；请给出存放其密钥的名称", "un webhook est signé ; nommez le secret qui porte sa clé"),
    Words::fixed("`{other}` is no kind of channel; there are email, slack and webhook", "`{other}` 不是渠道种类；可选 email、slack、webhook", "`{other}` n’est pas une sorte de canal ; il y a email, slack et webhook"),
    Words::fixed("`{digest}` is no digest; there are daily, weekly and monthly", "`{digest}` 不是汇总；可选 daily、weekly、monthly", "`{digest}` n’est pas un résumé ; il y a daily, weekly et monthly"),
    Words::fixed("e-mail needs a mail server, an address that it comes from, and 1 to 50 to go to", "电子邮件需要邮件服务器、发件地址和 1 到 50 个收件地址", "le courriel demande un serveur, une adresse d’envoi, et de 1 à 50 destinataires"),
    Words::fixed("security is starttls, tls, or none for a server on this machine", "安全方式为 starttls 或 tls，本机上的服务器可用 none", "la sécurité est starttls, tls, ou none pour un serveur sur cette machine"),
    Words::fixed("quiet hours are written 22:00-07:00", "免打扰时段写作 22:00-07:00", "les heures calmes s’écrivent 22:00-07:00"),
    Words::fixed("the time of digests is written 08:00", "汇总的时间写作 08:00", "l’heure des résumés s’écrit 08:00"),
    Words::fixed("the mail server is written host:port, such as smtp.example.com:587", "邮件服务器写作 主机:端口，例如 smtp.example.com:587", "le serveur de courriel s’écrit hôte:port, comme smtp.example.com:587"),
    Words::fixed("there is no channel `{channel}`; see `recurve alert channels`", "没有渠道 `{channel}`；见 `recurve alert channels`", "il n’y a pas de canal `{channel}` ; voyez `recurve alert channels`"),
    Words::fixed("there is no rule `{rule}`; see `recurve alert list`", "没有规则 `{rule}`；见 `recurve alert list`", "il n’y a pas de règle `{rule}` ; voyez `recurve alert list`"),
    Words::fixed("the rule `{rule}` names the channel `{channel}`; set that rule anew, or remove it", "规则 `{rule}` 使用渠道 `{channel}`；请重新设定该规则，或将其移除", "la règle `{rule}` nomme le canal `{channel}` ; fixez-la à nouveau, ou retirez-la"),
];

/// The texts around the places of a sentence, with one more text than there are places; and the names of the places.
fn parts(sentence: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut texts, mut names) = (Vec::new(), Vec::new());
    let mut begun = 0;
    let mut from = 0;
    while let Some(open) = sentence[from..].find('{').map(|at| at + from) {
        // A brace that names no place is one that is said.
        let name = sentence[open + 1..].split_once('}').map(|(name, _)| name);
        match name.filter(|name| !name.is_empty() && name.bytes().all(|letter| letter.is_ascii_lowercase())) {
            Some(name) => {
                texts.push(&sentence[begun..open]);
                names.push(name);
                begun = open + name.len() + 2;
                from = begun;
            }
            None => from = open + 1,
        }
    }
    texts.push(&sentence[begun..]);
    (texts, names)
}

/// What stands in the places of a sentence, where a text is that sentence.
fn values<'a>(sentence: &'a str, text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let (texts, names) = parts(sentence);
    let (first, others) = texts.split_first()?;
    let mut rest = text.strip_prefix(first)?;
    let mut found = Vec::with_capacity(names.len());
    for (place, (name, after)) in names.iter().zip(others).enumerate() {
        let is_last = place + 1 == names.len();
        let end = if is_last {
            rest.len().checked_sub(after.len()).filter(|end| rest.is_char_boundary(*end))?
        } else {
            rest.find(after)?
        };
        let (value, following) = rest.split_at(end);
        rest = following.strip_prefix(after)?;
        found.push((*name, value));
    }
    rest.is_empty().then_some(found)
}

/// What is said in English, in another language; as it is where that is not known.
pub fn say(english: &str, language: Language) -> String {
    if language == Language::English {
        return english.to_owned();
    }
    let known = |words: &&Words| values(&words.en, english).is_some();
    // Of two that fit, the one that says more itself.
    let said = |words: &&Words| parts(&words.en).0.iter().map(|text| text.len()).sum::<usize>();
    let Some(words) = SENTENCES.iter().filter(known).max_by_key(said) else { return english.to_owned() };
    let mut sentence = String::new();
    let (texts, names) = parts(words.say(language));
    let values = values(&words.en, english).unwrap_or_default();
    for (place, text) in texts.iter().enumerate() {
        sentence.push_str(text);
        let value = names.get(place).and_then(|name| values.iter().find(|(known, _)| known == name));
        // Within a sentence there may be another one.
        sentence.push_str(&value.map_or(String::new(), |(_, value)| say(value, language)));
    }
    sentence
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    fn places(sentence: &str) -> BTreeSet<&str> {
        parts(sentence).1.into_iter().collect()
    }

    #[test]
    fn every_sentence_is_there_in_every_language_with_the_same_places() {
        for words in SENTENCES {
            for language in [Language::Chinese, Language::French] {
                assert_eq!(places(words.say(language)), places(&words.en), "{language:?}: {}", words.en);
                assert_ne!(words.say(language), words.en);
                // The advice is parted from what happened in each language, or in none.
                let is_parted = |language| super::super::parted(words.say(language)).1.is_empty();
                assert_eq!(is_parted(language), is_parted(Language::English), "{language:?}: {}", words.en);
            }
            assert_ne!(say(&words.en, Language::Chinese), words.en, "{} is taken for another sentence", words.en);
        }
        let english: BTreeSet<&str> = SENTENCES.iter().map(|words| words.en.as_ref()).collect();
        assert_eq!(english.len(), SENTENCES.len(), "a sentence is there twice");
    }

    #[test]
    fn names_and_numbers_of_the_case_are_kept() {
        let said = say("there is no metric `mr`: did you mean `mrr` or `nrr`?", Language::French);
        assert_eq!(said, "il n’y a pas de mesure `mr` : vouliez-vous dire `mrr` or `nrr` ?");
        let said = say("`moon` is no grain; it is one of day, week", Language::Chinese);
        assert_eq!(said, "`moon` 不是期间长度；可选 day, week", "a sentence within a sentence");
        assert_eq!(say("what no table knows", Language::French), "what no table knows");
    }

    /// The texts of a source without its tests, each with whether a refusal says it.
    fn texts(source: &str) -> Vec<(String, bool)> {
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        let mut texts = Vec::new();
        // A call whose text stands on the next line is one line here.
        let joined = source.split("(\n").map(str::trim_start).collect::<Vec<_>>().join("(");
        for line in joined.replace("\\\n", "\u{0}").lines().filter(|line| !line.trim_start().starts_with("//")) {
            let mut rest = line;
            while let Some((_, begun)) = rest.split_once('"') {
                let mut end = 0;
                while let Some(at) = begun[end..].find('"').map(|at| at + end) {
                    let is_escaped = begun[..at].ends_with('\\');
                    end = at + 1;
                    if !is_escaped {
                        break;
                    }
                }
                let text = &begun[..end.saturating_sub(1)];
                rest = &begun[end..];
                // A line that goes on goes on after the spaces before its next word.
                let joined: Vec<&str> = text
                    .split('\u{0}')
                    .enumerate()
                    .map(|(place, part)| if place == 0 { part } else { part.trim_start() })
                    .collect();
                let before = line[..line.len() - rest.len() - text.len() - 1].trim_end_matches('"').trim_end();
                let calls = ["usage(", "bad(", "missing(", "wrong(", "format!("].map(|call| before.ends_with(call));
                let refuses = ["usage(", "Refusal::", "wrong("].iter().any(|call| before.contains(call));
                texts.push((joined.concat().replace("\\\"", "\""), refuses && calls.contains(&true)));
            }
        }
        texts
    }

    /// A text with a mark in each of its places.
    fn bare(text: &str) -> String {
        let (mut bare, mut depth) = (String::new(), 0);
        let text = text.replace("{{", "\u{1}").replace("}}", "\u{2}");
        for letter in text.chars() {
            match letter {
                '{' => {
                    depth += 1;
                    bare.push('_');
                }
                '}' => depth -= 1,
                _ if depth == 0 => bare.push(letter),
                _ => {}
            }
        }
        bare.replace('\u{1}', "{").replace('\u{2}', "}")
    }

    #[test]
    fn what_is_refused_can_be_said_in_every_language() {
        let known: BTreeSet<String> = SENTENCES
            .iter()
            .map(|words| {
                let (texts, _) = parts(&words.en);
                texts.join("_")
            })
            .collect();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let api = std::fs::read_dir(folder.join("api")).unwrap().map(|entry| entry.unwrap().path());
        let mut sources: Vec<_> = api.filter(|path| path.extension().is_some_and(|kind| kind == "rs")).collect();
        sources.extend(["closes.rs", "alerts.rs"].map(|name| folder.join(name)));
        let mut unknown = Vec::new();
        for source in sources {
            let name = source.file_name().unwrap().to_string_lossy().into_owned();
            // What no dashboard sees: what Stripe is answered, and what a terminal is told.
            if ["webhooks.rs", "telemetry.rs", "log.rs", "stream.rs"].contains(&name.as_str()) {
                continue;
            }
            for (text, is_said) in texts(&std::fs::read_to_string(&source).unwrap()) {
                let first = text.chars().next().unwrap_or(' ');
                // A refusal is a sentence without a capital, with advice after a semicolon.
                let is_refusal =
                    (first.is_lowercase() || first == '`') && (text.contains("; ") || is_said && text.contains(' '));
                if is_refusal && !known.contains(&bare(&text)) && !NOT_REFUSALS.iter().any(|part| text.contains(part)) {
                    unknown.push(format!("{name}: {text}"));
                }
            }
        }
        assert!(unknown.is_empty(), "refusals that only speak English:\n{}", unknown.join("\n"));
    }

    /// What looks like a refusal and is a header, the log, or what stops the start of the server.
    const NOT_REFUSALS: &[&str] = &[
        "charset=",
        "cannot listen on",
        "of this folder cannot be",
        "is of version",
        "text/plain",
        "the log says why",
    ];
}
